// Asks for one of the factors of an account: a passkey, a code, or the password.
import { Button, Divider, PasswordInput, TextInput } from '@mantine/core'
import { IconFingerprint } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { hasPasskeys, type Shown, signByPasskey, type Way } from '../factors.ts'
import { Notice } from './notice.tsx'
import './show-factor.css'

const codeWords = {
  app: { label: 'Code of your authenticator app', other: 'Use a recovery code instead' },
  recovery: { label: 'Recovery code', other: 'Use the authenticator app instead' },
} as const

/** What is there alone to be filled in; named once, so that it is focused once. */
const focus = (input: HTMLInputElement | null) => input?.focus()

type Showing = {
  ways: readonly Way[]
  verb: string
  show: (shown: Shown) => Promise<void>
  onShown: () => void
  onRefused?: (error: Error) => void
  children?: ReactNode
}

/** `show` sends it and throws a sentence when it is refused. `verb`: of the button. `children`: more ways out, below. */
export function ShowFactor({ ways, verb, show, onShown, onRefused, children }: Showing) {
  const [typed, setTyped] = useState('')
  const [from, setFrom] = useState<'app' | 'recovery'>('app')
  const send = useMutation({
    mutationFn: async (shown: Shown | 'passkey') => show(shown === 'passkey' ? await signByPasskey() : shown),
    onSuccess: onShown,
    onError: error => {
      setTyped('')
      onRefused?.(error)
    },
  })
  const byPasskey = send.isPending && send.variables === 'passkey'
  const hasCode = ways.includes('code')
  const isTyped = hasCode || ways.includes('password')
  const canPasskey = ways.includes('passkey') && hasPasskeys()
  return (
    <div className="stack">
      {ways.includes('passkey') && !hasPasskeys() && !isTyped && (
        <Notice tone="bad" title="This browser shows no passkeys here.">
          They need a page that is served with https. Open this page by its https address.
        </Notice>
      )}
      {canPasskey && (
        <Button
          variant="filled"
          data-autofocus={!isTyped || undefined}
          leftSection={<IconFingerprint size={16} stroke={1.75} aria-hidden />}
          loading={byPasskey}
          disabled={send.isPending}
          onClick={() => send.mutate('passkey')}
        >
          Use a passkey
        </Button>
      )}
      {canPasskey && isTyped && <Divider label="or" />}
      {isTyped && (
        <form
          className="stack"
          onSubmit={event => {
            event.preventDefault()
            if (typed !== '') send.mutate(hasCode ? { code: typed } : { password: typed })
          }}
          noValidate
        >
          {hasCode ? (
            <TextInput
              key={from}
              label={codeWords[from].label}
              classNames={{ input: 'code-input' }}
              inputMode={from === 'app' ? 'numeric' : 'text'}
              autoComplete={from === 'app' ? 'one-time-code' : 'off'}
              ref={focus}
              data-autofocus
              spellCheck={false}
              maxLength={40}
              value={typed}
              onChange={({ currentTarget: { value } }) =>
                setTyped(from === 'app' ? value.replaceAll(/\D/g, '').slice(0, 6) : value)
              }
            />
          ) : (
            <PasswordInput
              label="Password"
              autoComplete="current-password"
              data-autofocus
              value={typed}
              onChange={event => setTyped(event.currentTarget.value)}
            />
          )}
          {send.error !== null && <Notice tone="bad" title={send.error.message} />}
          <Button
            type="submit"
            variant={canPasskey ? 'default' : 'filled'}
            disabled={typed === '' || byPasskey}
            loading={send.isPending && !byPasskey}
          >
            {verb}
          </Button>
        </form>
      )}
      {!isTyped && send.error !== null && <Notice tone="bad" title={send.error.message} />}
      <div className="factor-foot">
        {hasCode && (
          <Button
            variant="subtle"
            onClick={() => {
              setTyped('')
              send.reset()
              setFrom(from === 'app' ? 'recovery' : 'app')
            }}
          >
            {codeWords[from].other}
          </Button>
        )}
        {children}
      </div>
    </div>
  )
}
