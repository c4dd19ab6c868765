// The list of the command palette, in groups. The focus stays in the field above; the chosen line is kept in view.
import {
  IconBolt,
  IconCalendarTime,
  IconDatabase,
  IconFileText,
  IconListDetails,
  IconPlayerPlay,
  IconServer2,
} from '@tabler/icons-react'
import { useEffect, useRef } from 'react'
import { type Choice, type ChoiceKind, type grouped, groupWords } from '../palette-choices.ts'

const icons: Record<ChoiceKind, typeof IconBolt> = {
  host: IconServer2,
  job: IconListDetails,
  repository: IconDatabase,
  schedule: IconCalendarTime,
  run: IconPlayerPlay,
  page: IconFileText,
  action: IconBolt,
}

/** The id of a line in the document. */
export const idOfChoice = ({ key }: Choice): string => `palette-${key.replaceAll(/[^\w-]/g, '-')}`

type Line = {
  choice: Choice
  isChosen: boolean
  onPoint: (key: string) => void
  onChoose: (choice: Choice) => void
}

function Option({ choice, isChosen, onPoint, onChoose }: Line) {
  const Icon = icons[choice.kind]
  const line = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (isChosen) line.current?.scrollIntoView({ block: 'nearest' })
  }, [isChosen])
  return (
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the field above has the focus and listens to the keys
    <div
      ref={line}
      id={idOfChoice(choice)}
      role="option"
      aria-selected={isChosen}
      className="palette-line"
      onMouseMove={() => onPoint(choice.key)}
      onMouseDown={event => event.preventDefault()}
      onClick={() => onChoose(choice)}
    >
      <Icon size={16} stroke={1.75} aria-hidden />
      <span className="palette-word cut">{choice.word}</span>
      {choice.detail !== undefined && <span className="palette-detail cut dim">{choice.detail}</span>}
    </div>
  )
}

/** `chosen`: the line that Enter takes. */
export function PaletteList({
  groups,
  chosen,
  onPoint,
  onChoose,
}: {
  groups: ReturnType<typeof grouped>
  chosen: Choice | undefined
  onPoint: (key: string) => void
  onChoose: (choice: Choice) => void
}) {
  return (
    <div
      id="palette-list"
      role="listbox"
      aria-label="Found"
      className="palette-list"
      hidden={groups.length === 0}
    >
      {groups.map(({ group, choices }) => (
        <div key={group} role="group" aria-labelledby={`palette-group-${group}`}>
          <div role="presentation" id={`palette-group-${group}`} className="palette-group dim">
            {groupWords[group]}
          </div>
          {choices.map(choice => (
            <Option
              key={choice.key}
              choice={choice}
              isChosen={choice.key === chosen?.key}
              onPoint={onPoint}
              onChoose={onChoose}
            />
          ))}
        </div>
      ))}
    </div>
  )
}
