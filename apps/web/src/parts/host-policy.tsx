// What a host's own policy allows this server, in plain words, and how its owner changes that.
import { policyInWords } from '@restic-manager/contract/policy-words'
import type { HostView } from '@restic-manager/contract/views'
import { Notice } from './notice.tsx'
import { Panel } from './panel.tsx'
import './host-policy.css'

/** A panel of the host's page. */
export function HostPolicy({ host: { policy, os } }: { host: HostView }) {
  if (policy === null)
    return (
      <Panel title="Host policy">
        <p className="dim">The host has not told yet what its owner allows. It does when it connects.</p>
      </Panel>
    )
  return (
    <Panel title="Host policy" foot={<HowToChange file={policy.file} os={os} />}>
      <div className="stack stack-sm">
        {policy.problem === undefined ? (
          <p className="second">
            {policy.found === false
              ? 'The owner of this host has written no policy file, so the defaults hold.'
              : policy.found === true
                ? 'The owner of this host allows this server:'
                : 'This host allows this server:'}
          </p>
        ) : (
          <Notice tone="bad" title="The policy file is not followed, so no job runs.">
            {policy.problem}
          </Notice>
        )}
        <dl className="policy-lines">
          {policyInWords(policy).map(({ about, says, names = [] }) => (
            <div key={about}>
              <dt>{about}</dt>
              <dd>
                <p>{says}</p>
                {names.length > 0 && (
                  <ul>
                    {names.map(name => (
                      <li key={name} className="mono break">
                        {name}
                      </li>
                    ))}
                  </ul>
                )}
              </dd>
            </div>
          ))}
        </dl>
      </div>
    </Panel>
  )
}

/** Only on the host: that is the point of it. */
function HowToChange({ file, os }: { file: string | undefined; os: string | null }) {
  return (
    <div className="stack stack-sm">
      <p>
        No server can change this. On the host, {os === 'windows' ? 'an administrator' : 'root'} edits its
        policy file, tries it, and restarts the agent:
      </p>
      <p className="mono break">
        agent check-policy{file === undefined ? '' : file.includes(' ') ? ` "${file}"` : ` ${file}`}
      </p>
    </div>
  )
}
