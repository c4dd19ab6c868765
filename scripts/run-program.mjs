// Runs a program to its end with an argv array: output as text, exit as data.
import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number, show?: boolean, stdoutFile?: string }} [options]
 *   `show` lets the program write to our stderr instead of collecting what it says; `stdoutFile` takes its output as bytes
 * @returns {Promise<{ ok: boolean, output: string }>} a program that cannot be started is `ok: false` too
 */
export async function runProgram(
  command,
  args,
  { cwd, env, timeoutMs = 600_000, show = false, stdoutFile } = {},
) {
  const file = stdoutFile ? await open(stdoutFile, 'w') : undefined
  try {
    return await new Promise(resolve => {
      const stdio = show ? ['ignore', 2, 2] : ['ignore', file?.fd ?? 'pipe', 'pipe']
      const child = spawn(command, args, { cwd, env, stdio })
      const patience = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
      const finish = result => {
        // Node's own timeout option would hold the process open after a program that could not be started.
        clearTimeout(patience)
        resolve(result)
      }
      let output = ''
      const collect = chunk => void (output += chunk)
      child.stdout?.setEncoding('utf8').on('data', collect)
      child.stderr?.setEncoding('utf8').on('data', collect)
      child.once('error', error => finish({ ok: false, output: error.message }))
      child.once('close', code => finish({ ok: code === 0, output }))
    })
  } finally {
    await file?.close()
  }
}
