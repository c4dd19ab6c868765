// The keys of the page, and the switch for those that are single letters.
import { Modal, Switch } from '@mantine/core'
import { findKeys, goKeys, turnSingleKeys, useSingleKeys } from '../shortcuts.ts'
import './key-help.css'

function Keys({ keys, word }: { keys: readonly string[]; word: string }) {
  return (
    <div className="key-row">
      <dt>
        {keys.map(key => (
          <kbd className="key" key={key}>
            {key}
          </kbd>
        ))}
      </dt>
      <dd>{word}</dd>
    </div>
  )
}

/** The dialog that `?` opens. */
export function KeyHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const single = useSingleKeys()
  return (
    <Modal opened={opened} onClose={onClose} title="Keys" closeButtonProps={{ 'aria-label': 'Close' }}>
      <dl className="key-list">
        <Keys keys={findKeys.split(' ')} word="Find hosts, jobs, actions" />
        <Keys keys={['Esc']} word="Close what is open" />
      </dl>
      <Switch
        className="key-switch"
        label="Single keys"
        description="Off is better with speech input."
        checked={single}
        onChange={event => turnSingleKeys(event.currentTarget.checked)}
      />
      {single && (
        <dl className="key-list">
          <Keys keys={['/']} word="Find" />
          <Keys keys={['?']} word="This list" />
          {Object.entries(goKeys).map(([key, { word }]) => (
            <Keys key={key} keys={['G', key.toUpperCase()]} word={word} />
          ))}
        </dl>
      )}
    </Modal>
  )
}
