import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import type { Bench } from './benchmark.ts'

/** `npm run bench -- NAME`: each benchmark is a module with an exported `run`. */
const BENCHES: Readonly<Record<string, () => Promise<{ run: Bench }>>> = {
  ingest: () => import('./ingest.ts'),
  'ingest-otlp': () => import('./ingest-otlp.ts'),
  tick: () => import('./tick.ts'),
  restart: () => import('./restart.ts'),
  late: () => import('./late.ts'),
  catchup: () => import('./catchup.ts'),
  lookup: () => import('./lookup.ts'),
  memory: () => import('./memory.ts'),
  storage: () => import('./storage.ts'),
  'outbox-read': () => import('./outbox-read.ts'),
  partitions: () => import('./partitions.ts'),
  'ingest-memory': () => import('./ingest-memory.ts'),
  corrections: () => import('./corrections.ts'),
  redaction: () => import('./redaction.ts'),
  pipeline: () => import('./pipeline.ts'),
  cardinality: () => import('./cardinality.ts'),
  owners: () => import('./owners.ts'),
  classification: () => import('./classification.ts'),
  adversarial: () => import('./adversarial.ts'),
  'quality-orgweek': () => import('./quality-orgweek.ts'),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    input: { type: 'string' },
    train: { type: 'string' },
    seeds: { type: 'string' },
  },
})
const name = positionals[0] ?? ''
const load = BENCHES[name]
if (!load) {
  process.stderr.write(
    `usage: npm run bench -- NAME [--quick] [--input PATH] [--train PATH] [--seeds 1,2]\nNAME: ${Object.keys(BENCHES).join(', ')}\n`,
  )
  process.exit(2)
}
const seeds = values.seeds?.split(',').map(Number)
if (seeds?.some((seed) => !Number.isSafeInteger(seed) || seed < 0)) {
  process.stderr.write(`--seeds: whole numbers with commas between, as 1,2; not ${values.seeds}\n`)
  process.exit(2)
}

const { run } = await load()
const { figures, baselines = {} } = await run({
  quick: values.quick,
  ...(values.input === undefined ? {} : { input: values.input }),
  ...(values.train === undefined ? {} : { train: values.train }),
  ...(seeds === undefined ? {} : { seeds }),
  progress: (line) => process.stderr.write(`${line}\n`),
})
for (const [figure, { value, unit, goal }] of Object.entries(figures)) {
  process.stdout.write(
    `${figure.padEnd(28)} ${String(value).padStart(12)} ${unit.padEnd(10)} ${goal ? `goal ${goal}` : ''}\n`,
  )
}
for (const [baseline, value] of Object.entries(baselines))
  process.stdout.write(`${baseline.padEnd(28)} ${String(value).padStart(12)} (baseline)\n`)
const machine = {
  cpus: cpus().length,
  model: cpus()[0]?.model ?? '',
  memory_gb: Math.round(totalmem() / 2 ** 30),
  node: process.version,
}
process.stdout.write(`${JSON.stringify({ bench: name, figures, baselines, machine })}\n`)
process.exit(0)
