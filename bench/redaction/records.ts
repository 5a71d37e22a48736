import { benchRecord } from '../ingest/records.ts'

const ARGUMENTS: readonly ((number: number) => unknown)[] = [
  (n) => ({
    sql: `SELECT id, name, email FROM customers WHERE region = 'EU' AND id > ${n} ORDER BY id LIMIT 100`,
  }),
  (n) => ({ path: `/workspace/reports/2026/week-${n % 52}/summary.md`, encoding: 'utf-8' }),
  (n) => ({
    to: [`person-${n % 200}@example.com`],
    subject: 'Weekly report',
    body: `Hello,\n\nplease find the figures of week ${n % 52} in the shared folder. Tell me if anything is missing before Friday; I will present them to the whole team.\n\nRegards`,
  }),
  (n) => ({ url: `https://intranet.example.com/wiki/page-${n}?view=full#top`, max_length: 5000 }),
  (n) => ({
    code: `import pandas as pd\n\ndf = pd.read_csv("data-${n % 9}.csv")\nprint(df.groupby("region")["amount"].sum().sort_values(ascending=False).head(10))\n`,
  }),
  (n) => ({
    owner: 'acme',
    repo: 'shop',
    title: `Crash on start ${n}`,
    body: 'Steps: open the app, see the stack trace.',
    labels: ['bug'],
  }),
]

/** Records whose arguments are long texts, code, queries and addresses; one in fifty has a secret. */
export function richRecord(number: number): string {
  const secret = number % 50 === 0 ? { headers: { Authorization: `Bearer ${'x1'.repeat(20)}${number}` } } : {}
  const made = ARGUMENTS[number % ARGUMENTS.length]?.(number) as object
  return JSON.stringify({
    ...(JSON.parse(benchRecord(number)) as object),
    'gen_ai.tool.call.arguments': JSON.stringify({ ...made, ...secret }),
    ...(number % 37 === 0
      ? { 'error.message': `Request failed with status 404: page-${number} was not found` }
      : {}),
  })
}
