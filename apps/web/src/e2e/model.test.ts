// Who decides when the server is away: every story of a small world, driven by the real decisions of both ends.
import { isLongRun } from '@restic-manager/testkit/restic'
import { expect, test } from 'vitest'
import { exploreWorld } from './model-explore.ts'
import type { Rules } from './model-state.ts'
import { complaintsAbout } from './model-truth.ts'

const second = isLongRun ? 1 : 0
/** Two harms on one repository, for one rule alone but in the long run; one on two. By hand more: RM_MODEL_HARMS=1 adds one to each, for minutes and gigabytes. */
const more = Number(process.env.RM_MODEL_HARMS ?? 0)
const variants: Rules[] = [
  { kind: 'backup', catchUp: 'once', overlap: 'skip', repositories: 1, harms: 2 + more },
  { kind: 'backup', catchUp: 'none', overlap: 'queue', repositories: 1, harms: 1 + second + more },
  { kind: 'prune', catchUp: 'once', overlap: 'skip', repositories: 1, harms: 1 + second + more },
  { kind: 'backup', catchUp: 'once', overlap: 'skip', repositories: 2, harms: 1 + more },
  { kind: 'backup', catchUp: 'none', overlap: 'queue', repositories: 2, harms: 1 + more },
  { kind: 'forget', catchUp: 'once', overlap: 'skip', repositories: 2, harms: 1 + more },
  { kind: 'prune', catchUp: 'once', overlap: 'queue', repositories: 2, harms: 1 + more },
]

test.each(variants)(
  'whatever $harms harms do to a $kind (repositories $repositories, catch-up $catchUp, overlap $overlap), a slot runs at most once and ends in one outcome (row 28)',
  rules => {
    const endings = new Set<string>()
    const wrong: object[] = []
    const { states, ends, broken } = exploreWorld(rules, story => {
      const world = story.world()
      const complaints = complaintsAbout(world, rules)
      if (complaints.length > 0 && wrong.length < 1)
        wrong.push({ path: story.path(), complaints, world: JSON.stringify(world) })
      for (const row of world.server.rows.flat()) endings.add(row?.status ?? 'none')
    })
    console.info(`${JSON.stringify(rules)}: ${states} states, ${ends} ends`)
    expect({ broken, wrong }).toEqual({ broken: [], wrong: [] })
    // It is no world in which nothing happens.
    expect([...endings]).toEqual(expect.arrayContaining(['succeeded', 'skipped', 'missed', 'cancelled']))
  },
)

test('when nothing goes wrong every slot runs', () => {
  for (const rules of variants) {
    let ran = 0
    exploreWorld({ ...rules, harms: 0 }, story => {
      const world = story.world()
      expect(complaintsAbout(world, rules)).toEqual([])
      // A maintenance host has other things to do, and may come to it late.
      const own = world.server.rows.flat().filter(row => row !== null && !row.elsewhere)
      for (const row of own) expect(row).toMatchObject({ status: 'succeeded', reported: true })
      ran += own.length
    })
    expect(ran).toBeGreaterThan(0)
  }
})
