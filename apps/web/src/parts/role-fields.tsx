// Role and tags of somebody: what they may do, and to which hosts.
import { OperatorTags } from '@restic-manager/contract/operators'
import { Role } from '@restic-manager/contract/role'
import { Radio, TagsInput } from '@mantine/core'
import { roleSentences } from '../role-words.ts'

/** `tags` null: all hosts; empty: some, none of them chosen yet. */
export type Reach = { role: Role; tags: string[] | null }

/** Whether the server would take it. */
export const isWhole = ({ tags }: Reach): boolean => OperatorTags.safeParse(tags).success

/** The fields, for an invitation and for a change. */
export function RoleFields({ reach, onChange }: { reach: Reach; onChange: (reach: Reach) => void }) {
  return (
    <>
      <Radio.Group
        label="Role"
        value={reach.role}
        onChange={value => onChange({ ...reach, role: Role.parse(value) })}
      >
        <div className="stack stack-sm">
          {Role.options.map(role => (
            <Radio key={role} value={role} label={role} description={roleSentences[role]} />
          ))}
        </div>
      </Radio.Group>
      <Radio.Group
        label="Hosts"
        value={reach.tags === null ? 'all' : 'some'}
        onChange={value => onChange({ ...reach, tags: value === 'all' ? null : [] })}
      >
        <div className="stack stack-sm">
          <Radio value="all" label="All hosts" />
          <Radio value="some" label="Only hosts with one of these tags" />
        </div>
      </Radio.Group>
      {reach.tags !== null && (
        <TagsInput
          label="Tags"
          description="Press Enter after each. Users and settings stay with who sees all hosts."
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          maxTags={50}
          value={reach.tags}
          onChange={tags => onChange({ ...reach, tags })}
        />
      )}
    </>
  )
}
