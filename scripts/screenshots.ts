// `npm run screenshots`: every screen and every state of it at 1440, 768 and 390 px, light and dark.
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { launchChromium } from '@restic-manager/testkit/chromium'
import { build, removeThrowAway, root } from './processes.ts'
import { shootReal } from './screenshot-real.ts'
import { shootSeeded } from './screenshot-seeded.ts'

const scenes = { seeded: shootSeeded, real: shootReal }

const help = `Usage: npm run screenshots -- [--scene seeded | real] [--to FOLDER] [NAME …]

Takes a picture of every screen and every state of it, or only those of these names, into docs/screenshots.

  --scene S    only what is seen of a made-up fleet, or only of real agents and restics
  --to FOLDER  puts them elsewhere
  --help       this text
`

function fail(sentence: string): never {
  process.stderr.write(`${sentence}\n\n${help}`)
  process.exit(2)
}

function readFlags() {
  try {
    return parseArgs({
      options: { to: { type: 'string' }, scene: { type: 'string' }, help: { type: 'boolean' } },
      allowPositionals: true,
    })
  } catch (error) {
    return fail((error as Error).message)
  }
}

const { values, positionals: only } = readFlags()
if (values.help) {
  process.stdout.write(help)
  process.exit(0)
}
if (values.scene !== undefined && !Object.hasOwn(scenes, values.scene))
  fail(`There is no scene ${values.scene}.`)
const target = path.resolve(values.to ?? path.join(root, 'docs/screenshots'))

async function main() {
  await build()
  if (only.length === 0 && values.scene === undefined) await rm(target, { recursive: true, force: true })
  await mkdir(target, { recursive: true })
  await using browser = await launchChromium()
  // Side by side: while one waits for restic, the other is drawn.
  await Promise.all(
    Object.entries(scenes)
      .filter(([name]) => values.scene === undefined || values.scene === name)
      .map(async ([name, shoot]) => {
        // Paths stand in the pictures: the same one each time.
        const folder = path.join(tmpdir(), 'acme', name)
        await removeThrowAway(folder)
        try {
          await shoot(browser, { folder: target, only }, folder)
        } finally {
          await removeThrowAway(folder)
        }
      }),
  )
}

await main()
