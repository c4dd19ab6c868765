// The field for a storage's secret: one hidden line, or a text that was pasted from a file.
import { PasswordInput, Textarea } from '@mantine/core'
import type { BackendKind } from '@restic-manager/contract/repository'
import type { ReactNode } from 'react'
import { backendForms } from '../backend-words.ts'
import './repository-form.css'

/** `editing`: left empty, the secret stays as it is. `label` takes the place of the storage's own word for it. */
export function BackendSecret({
  kind,
  label,
  editing,
  value,
  error,
  onChange,
}: {
  kind: BackendKind
  label?: string
  editing: boolean
  value: string
  error?: ReactNode
  onChange: (value: string) => void
}) {
  const words = backendForms[kind].credential
  if (words === undefined) return null
  const field = {
    label: label ?? words.label,
    description: words.help,
    inputWrapperOrder: ['label', 'input', 'description', 'error'] as (
      | 'label'
      | 'input'
      | 'description'
      | 'error'
    )[],
    autoComplete: 'off',
    value,
    error,
    onChange: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  }
  if (words.lines !== true) return <PasswordInput placeholder={editing ? 'stays as it is' : ''} {...field} />
  return (
    <Textarea
      className="mono-input"
      autosize
      minRows={4}
      maxRows={10}
      spellCheck={false}
      placeholder={editing ? 'stays as it is' : words.example}
      {...field}
    />
  )
}
