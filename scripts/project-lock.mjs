// One process at a time changes node_modules or .tools: a lock file that survives nobody's death.
import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Runs `work` while holding `file`. Waits for a living holder, takes over from a dead one.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {(holder: number) => void} [onWait] called once if somebody else holds it
 * @returns {Promise<T>}
 */
export async function withLock(file, work, onWait = () => {}) {
  await mkdir(dirname(file), { recursive: true })
  const mine = `${file}.${randomUUID()}`
  await writeFile(mine, String(process.pid))
  try {
    await acquire(file, mine, onWait)
  } finally {
    await rm(mine, { force: true })
  }
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

/** A link either appears whole, with its pid inside, or not at all. */
async function acquire(file, mine, onWait) {
  let waited = false
  for (;;) {
    try {
      return await link(mine, file)
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''))
    if (holder && isAlive(holder)) {
      if (!waited) onWait(holder)
      waited = true
      await sleep(200)
    } else {
      await clearStale(file, holder)
    }
  }
}

/** Two may see the same dead holder: only what was really his is thrown away. */
async function clearStale(file, holder) {
  const aside = `${file}.${randomUUID()}`
  try {
    await rename(file, aside)
  } catch (error) {
    if (error.code === 'ENOENT') return
    throw error
  }
  const found = Number(await readFile(aside, 'utf8'))
  if (found !== holder) await link(aside, file).catch(() => {})
  await rm(aside, { force: true })
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
