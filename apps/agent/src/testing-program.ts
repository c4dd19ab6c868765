// For tests only: the agent's program with a clock that the test moves, over the channel it was started with.
import { createLog } from '@restic-manager/runtime/log'
import { readConfig } from './config.ts'
import { startAgent } from './start.ts'
import { createTestClock, type Move } from './testing-clock.ts'

const [stateDir, startAt] = process.argv.slice(2)
const config = readConfig({ stateDir })
const clock = createTestClock(Number(startAt))
const agent = await startAgent(config, createLog({ level: config.logLevel }), clock)

process.on('message', (move: Move) => {
  void clock.move(move).then(() => process.send?.('moved'))
})
process.on('SIGHUP', () => {})
const stop = async () => {
  await agent.stop()
  process.exit(0)
}
process.once('SIGTERM', () => void stop())
process.once('disconnect', () => void stop())
process.send?.('ready')
