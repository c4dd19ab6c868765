// First-run set-up: the first admin, this machine, a repository, the first backup.
import type { Id } from '@restic-manager/contract/ids'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { Entrance } from '../parts/entrance.tsx'
import { FirstAdmin } from '../parts/first-admin.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { Logo } from '../parts/logo.tsx'
import { PlanFirstBackup } from '../parts/plan-first-backup.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { type Source, SourceAndRepository } from '../parts/source-and-repository.tsx'
import { ThisMachine } from '../parts/this-machine.tsx'
import { useLiveChanges } from '../live.ts'
import { needsSetUp, takeSecret } from '../session.ts'
import { trpc } from '../trpc.ts'
import './set-up.css'

const steps = ['First admin', 'This machine', 'Folders and repository', 'Plan and first backup'] as const

function StepLine({ at }: { at: number }) {
  return (
    <ol className="steps" aria-label="Steps of the set-up">
      {steps.map((word, index) => (
        <li
          key={word}
          className={`step ${index < at ? 'step-done' : index === at ? 'step-now' : ''}`}
          aria-current={index === at ? 'step' : undefined}
        >
          <span className="step-mark num" aria-hidden>
            {index < at ? '✓' : index + 1}
          </span>
          <span className="step-word">{word}</span>
        </li>
      ))}
    </ol>
  )
}

const titles = ['', 'This machine', 'What to back up, and where to', 'The plan, and the first backup']
const sentences = [
  '',
  'An agent runs restic on each machine. The one beside this server connects by itself.',
  'Both can be changed later. The first backup starts after the next step.',
  'Accept it as it is, or change the time. It can be changed later.',
]

/** What comes after the first admin. Also for an admin who left it half-way and comes back. */
function NextSteps() {
  useLiveChanges()
  const navigate = useNavigate()
  const [hostId, setHostId] = useState<Id>()
  const [source, setSource] = useState<Source>()
  const [repositoryId, setRepositoryId] = useState<Id>()
  const step = hostId === undefined ? 1 : repositoryId === undefined ? 2 : 3
  return (
    <div className="set-up">
      <header className="set-up-bar">
        <Logo />
        <span className="strong">restic-manager</span>
        <span className="dim grow">set-up</span>
        <Link to="/">Leave the set-up</Link>
      </header>
      <main className="set-up-page stack">
        <StepLine at={step} />
        <div>
          <h1 className="page-title">{titles[step]}</h1>
          <p className="dim">{sentences[step]}</p>
        </div>
        {hostId === undefined && <ThisMachine onReady={setHostId} />}
        {hostId !== undefined && repositoryId === undefined && (
          <SourceAndRepository
            hostId={hostId}
            initial={source}
            onReady={(chosen, id) => {
              setSource(chosen)
              setRepositoryId(id)
            }}
            onBack={() => setHostId(undefined)}
          />
        )}
        {hostId !== undefined && source !== undefined && repositoryId !== undefined && (
          <PlanFirstBackup
            hostId={hostId}
            repositoryId={repositoryId}
            source={source}
            onStarted={jobId => void navigate({ to: '/jobs/$jobId', params: { jobId } })}
            onBack={() => setRepositoryId(undefined)}
          />
        )}
      </main>
    </div>
  )
}

/** Nobody but the admin who is signed in goes on with what was left half-way. */
function SetUpDone() {
  const me = useQuery(trpc.me.get.queryOptions(undefined, { retry: false }))
  if (me.isPending) return null
  if (me.data?.role === 'admin') return <NextSteps />
  return (
    <Entrance title="Set-up is done">
      <p className="second">This server has its admin. The set-up link works only once.</p>
      <LinkButton variant="filled" to="/sign-in">
        Sign in
      </LinkButton>
    </Entrance>
  )
}

/** Works only while no admin exists, with the secret of the link the server printed. */
export function SetUpPage() {
  const [secret] = useState(takeSecret)
  const [made, setMade] = useState(false)
  const needed = useQuery({ queryKey: ['setup'], queryFn: needsSetUp, staleTime: Infinity, enabled: !made })
  useEffect(() => {
    document.title = 'Set-up · restic-manager'
  }, [])

  if (made) return <NextSteps />
  if (needed.isError) {
    return (
      <Entrance title="Set-up">
        <QueryProblem what="The state of the set-up" query={needed} />
      </Entrance>
    )
  }
  if (needed.data === undefined) return null
  if (!needed.data) return <SetUpDone />
  if (secret === '') {
    return (
      <Entrance title="Set-up">
        <p className="second">
          Open the set-up link that the server printed in its terminal. It ends with a secret, which is
          missing from this address. Each start of the server prints a fresh one.
        </p>
      </Entrance>
    )
  }
  return <FirstAdmin secret={secret} onMade={() => setMade(true)} />
}
