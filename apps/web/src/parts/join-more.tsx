// The rest of a line for new hosts, folded away: how many may use it, how long, their tags, and whether an admin looks first.
import { Button, NumberInput, Select, Switch, TagsInput } from '@mantine/core'
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react'
import { useId, useState } from 'react'
import { lives, wishComplaints, wishInShort, type JoinWish } from '../join-wish.ts'

const order = ['label', 'input', 'description', 'error'] as const

/** `wish`: what the line above allows. */
export function JoinMore({
  wish,
  busy,
  onMake,
}: {
  wish: JoinWish
  busy: boolean
  onMake: (wish: JoinWish) => void
}) {
  const [opened, setOpened] = useState(false)
  const [draft, setDraft] = useState(wish)
  const change = (next: Partial<JoinWish>) => setDraft({ ...draft, ...next })
  const fields = useId()
  const complaints = wishComplaints(draft)
  const isSame = wishInShort(draft) === wishInShort(wish)
  return (
    <section className="join-more">
      <button
        type="button"
        className="join-fold"
        aria-expanded={opened}
        aria-controls={fields}
        onClick={() => setOpened(!opened)}
      >
        {opened ? (
          <IconChevronDown size={16} stroke={1.75} aria-hidden />
        ) : (
          <IconChevronRight size={16} stroke={1.75} aria-hidden />
        )}
        <span className="strong">More</span>
        {!opened && <span className="dim grow">{wishInShort(wish)}</span>}
      </button>
      {opened && (
        <div className="stack join-fields" id={fields}>
          <div className="join-pair">
            <NumberInput
              label="How many hosts"
              description="The same line works on each of them."
              inputWrapperOrder={[...order]}
              min={1}
              max={1_000}
              allowDecimal={false}
              value={draft.maxUses}
              error={complaints.maxUses}
              onChange={value => change({ maxUses: typeof value === 'number' ? value : 0 })}
            />
            <Select
              label="Works for"
              description="Hosts that are in by then stay in."
              inputWrapperOrder={[...order]}
              allowDeselect={false}
              data={lives.map(({ minutes, words }) => ({ value: String(minutes), label: words }))}
              value={String(draft.lifeMinutes)}
              onChange={value => change({ lifeMinutes: Number(value) })}
            />
          </div>
          <TagsInput
            label="Tags"
            description="Every host that comes in gets them. Press Enter after each."
            inputWrapperOrder={[...order]}
            maxTags={50}
            value={draft.tags}
            error={complaints.tags}
            onChange={tags => change({ tags })}
          />
          <Switch
            label="Wait until an admin has compared its fingerprint"
            description="Until then a host gets no orders and no secrets."
            checked={draft.needsApproval}
            onChange={event => change({ needsApproval: event.currentTarget.checked })}
          />
          <div className="row">
            <p className="dim grow">
              {isSame ? 'The line above is made like this.' : 'The line above stops working.'}
            </p>
            <Button
              loading={busy}
              disabled={isSame || Object.keys(complaints).length > 0}
              onClick={() => onMake(draft)}
            >
              Make a new line
            </Button>
          </div>
        </div>
      )}
    </section>
  )
}
