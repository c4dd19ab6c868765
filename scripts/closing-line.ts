// A vitest reporter whose last word is one plain line, so that whoever runs the tests can count them.
import type { Reporter, TestModule } from 'vitest/node'

export type Count = { passed: number; failed: number; skipped: number }

/** A file that could not be loaded and an error nobody caught count as failures: no run is green with one of them. */
export function countTests(modules: readonly TestModule[], uncaughtErrors: number): Count {
  const count = { passed: 0, failed: uncaughtErrors, skipped: 0 }
  for (const module of modules) {
    let failedTests = 0
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') count.passed += 1
      else if (state === 'failed') failedTests += 1
      else count.skipped += 1
    }
    count.failed += failedTests === 0 && !module.ok() ? 1 : failedTests
  }
  return count
}

/** `12 passed, 0 failed`, and how many were skipped when some were. */
export function closingLine({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], uncaughtErrors: readonly unknown[]) {
    const line = closingLine(countTests(modules, uncaughtErrors.length))
    process.once('exit', () => process.stdout.write(`\n${line}\n`))
  }
}
