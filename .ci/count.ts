import { readFileSync } from 'node:fs'

// Turns vitest’s report and the number of failed steps into the closing line and the exit code of `.ci/run`.
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numFailedTestSuites: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

const [file = '', failedSteps = '1'] = process.argv.slice(2)
const say = (line: string) => process.stdout.write(`${line}\n`)

function read(): Report {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    say('There is no report of the tests: they did not run to their end.')
    return { numPassedTests: 0, numFailedTests: 0, numFailedTestSuites: 1, testResults: [] }
  }
}

const report = read()
const tests = report.testResults.flatMap((suite) => suite.assertionResults)
const skipped = tests.filter((test) => !['passed', 'failed'].includes(test.status))
// A file that breaks before its first test counts as one failure.
const broken = report.testResults.filter(
  (suite) => suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed'),
)
for (const test of skipped) say(`Skipped, although CI can run it: ${test.fullName}`)
for (const suite of broken) say(`Broken: ${suite.name}`)
if (report.numPassedTests === 0) say('No test passed.')

let failed = report.numFailedTests + broken.length + skipped.length
// Types, lint, installation, or tests that failed without a failing test (an error outside of one).
if (failed === 0 && report.numPassedTests === 0) failed = 1
failed += Math.max(0, Number(failedSteps) - (failed > 0 ? 1 : 0))
say(`${report.numPassedTests} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
