// What rclone makes of the environment, and of the keys that a remote may set. The list of keys leans on it.
import { rcloneTypes } from '@restic-manager/contract/rclone'
import { findTool } from '@restic-manager/testkit/restic'
import { execa } from 'execa'
import { expect, test } from 'vitest'

const tool = await findTool('rclone')
const path = 'path' in tool ? tool.path : ''
const but = 'missing' in tool ? ` (${tool.missing})` : ''
const run = (args: string[], env: Record<string, string>) =>
  execa(path, args, { env, extendEnv: false, stdin: 'ignore', reject: false })

type Provider = { Name: string; Options: { Name: string; IsPassword: boolean }[] }

test.skipIf('missing' in tool)(`rclone knows every key that a remote may set${but}`, async () => {
  const { stdout } = await run(['config', 'providers'], { RCLONE_CONFIG: '/dev/null' })
  const providers = new Map((JSON.parse(stdout) as Provider[]).map(each => [each.Name, each.Options]))
  for (const [type, { keys, secrets }] of Object.entries(rcloneTypes)) {
    const options = providers.get(type) ?? []
    const known = new Set(options.map(({ Name }) => Name))
    expect({ type, unknown: [...keys, ...secrets].filter(key => !known.has(key)) }).toEqual({
      type,
      unknown: [],
    })
    const passwords = new Set(options.flatMap(({ Name, IsPassword }) => (IsPassword ? [Name] : [])))
    expect(keys.filter(key => passwords.has(key))).toEqual([])
  }
})

test.skipIf('missing' in tool)(
  `a remote in the environment is there without a file, and no other is${but}`,
  async () => {
    const env = { RCLONE_CONFIG: '/dev/null', RCLONE_CONFIG_VAULT_2_TYPE: 'local' }
    expect((await run(['listremotes'], env)).stdout).toBe('vault_2:')
    expect((await run(['lsd', 'vault_2:/'], env)).exitCode).toBe(0)
    const other = await run(['lsd', 'other:/'], env)
    expect(other.exitCode).not.toBe(0)
    expect(other.stderr).toContain("didn't find section in config file")
  },
)
