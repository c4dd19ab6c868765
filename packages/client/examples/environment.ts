// Where the examples find the server: RM_URL and RM_API_KEY.
import { type Client, createClient } from '@restic-manager/client'
import { failureOf } from '@restic-manager/client/failure'

/** Runs an example: `act` says the exit code. What is refused or not answered is one sentence and exit code 2. */
export async function run(act: (client: Client, argument: string) => Promise<number>): Promise<void> {
  const url = process.env['RM_URL'] ?? 'http://127.0.0.1:8470'
  await using client = createClient({ url, apiKey: process.env['RM_API_KEY'] })
  try {
    process.exitCode = await act(client, process.argv[2] ?? '')
  } catch (error) {
    const { code, sentence } = failureOf(error)
    console.error(`${code}: ${sentence}`)
    process.exitCode = 2
  }
}
