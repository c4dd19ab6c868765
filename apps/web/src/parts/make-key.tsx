// The dialog that makes an API key: a name, what it is for, and how long it works.
import { Button, Modal, Radio, SegmentedControl, Select, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { type KeyArea, keyAreas, type Reach, readOnlyAreas, scopesOf } from '../key-scopes.ts'
import { trpc } from '../trpc.ts'
import { MutationProblem } from './query-problem.tsx'
import './account.css'

const areas = Object.keys(keyAreas) as KeyArea[]
const lives = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'a year' },
  { value: 'never', label: 'until it is revoked' },
]
const nothing = Object.fromEntries(areas.map(area => [area, 'none'])) as Record<KeyArea, Reach>

function Areas({
  chosen,
  onChoose,
}: {
  chosen: Record<KeyArea, Reach>
  onChoose: (area: KeyArea, reach: Reach) => void
}) {
  return (
    <div className="key-areas">
      {areas.map(area => (
        <div key={area} className="key-area">
          <span>{keyAreas[area]}</span>
          <SegmentedControl
            aria-label={keyAreas[area]}
            data={[
              { value: 'none', label: 'No' },
              { value: 'read', label: 'Read' },
              ...(readOnlyAreas.includes(area) ? [] : [{ value: 'write', label: 'Read and write' }]),
            ]}
            value={chosen[area]}
            onChange={value => onChoose(area, value as Reach)}
          />
        </div>
      ))}
    </div>
  )
}

/** `onMade` gets the key itself, the only time that anybody sees it. */
export function MakeKey({ onClose, onMade }: { onClose: () => void; onMade: (key: string) => void }) {
  const [name, setName] = useState('')
  const [whole, setWhole] = useState(false)
  const [chosen, setChosen] = useState<Record<KeyArea, Reach>>({ ...nothing, hosts: 'read', jobs: 'read' })
  const [life, setLife] = useState('90')
  const make = useMutation(trpc.keys.create.mutationOptions({ onSuccess: ({ key }) => onMade(key) }))
  const scopes = whole ? ['*'] : scopesOf(chosen)
  const isReady = name.trim() !== '' && scopes.length > 0
  return (
    <Modal opened onClose={onClose} title="New API key" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        className="stack"
        onSubmit={event => {
          event.preventDefault()
          const days = life === 'never' ? null : Number(life)
          if (isReady) make.mutate({ name: name.trim(), scopes, days })
        }}
      >
        <TextInput
          label="Name"
          placeholder="what it is for"
          maxLength={60}
          data-autofocus
          value={name}
          onChange={event => setName(event.currentTarget.value)}
        />
        <Radio.Group
          label="What it may do"
          value={whole ? 'all' : 'parts'}
          onChange={value => setWhole(value === 'all')}
        >
          <div className="stack stack-sm">
            <Radio value="parts" label="Only this" />
            <Radio value="all" label="Everything I may do" />
          </div>
        </Radio.Group>
        {!whole && (
          <Areas chosen={chosen} onChoose={(area, reach) => setChosen({ ...chosen, [area]: reach })} />
        )}
        <Select
          label="It works for"
          allowDeselect={false}
          data={lives}
          value={life}
          onChange={value => value !== null && setLife(value)}
        />
        <MutationProblem what="The key was not made." error={make.error} />
        <div className="row form-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" loading={make.isPending} disabled={!isReady}>
            Make the key
          </Button>
        </div>
      </form>
    </Modal>
  )
}
