// The storm in small: the same programs and the same promises as with thousands, without a word about time.
import { expect, test } from 'vitest'
import { runStorm } from './reconnect-storm.ts'

test('a fleet whose server was killed comes back, and every fact it kept meanwhile is committed (row 14)', async () => {
  const said: string[] = []
  const figure = await runStorm({
    ...{ agents: 40, outageSeconds: 0, oneAddress: process.platform !== 'linux' },
    timing: { backoffCap: 1_000 },
    note: sentence => void said.push(sentence),
  })
  expect(figure, said.join('\n')).toMatchObject({ agents: 40, factsLost: 0, factsRefused: 0 })
  // The start and the end of each backup, and the snapshot it made.
  expect(figure.factsTold).toBeGreaterThanOrEqual(3 * 40)
  expect(figure.dials).toBeGreaterThanOrEqual(40)
})
