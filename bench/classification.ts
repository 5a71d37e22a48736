import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadToolCatalogue } from '../app/wire/pipeline.ts'
import { CAPABILITIES, type Capability } from '../core/audit-event.ts'
import type { ToolCatalogue } from '../core/tool-catalogue.ts'
import type { Bench, BenchOptions, BenchResult } from './benchmark.ts'
import {
  isHeldOut,
  type LabelledTool,
  readLabels,
  readSeenTools,
  type SeenTool,
} from './classification/tools.ts'

const DATA = fileURLToPath(new URL('../../shared/data', import.meta.url))
const FILES = ['agentdojo/agentdojo.dev.ndjson.gz', 'mcp_benign/mcp_benign.ndjson.gz']

/** What nobody is alerted for. */
const HARMLESS: ReadonlySet<Capability> = new Set(['read', 'recon'])

interface Judged extends LabelledTool {
  readonly got: Capability
}

/**
 * How well the shipped tool catalogue says what tools can do, against hand-made labels: `accuracy` over all labelled
 * tools, `accuracy_held_out` over the groups that were not looked at while the catalogue was made, `unknown_share` of
 * tools that are not labelled so, `harmless_errors`: tools that can do harm, taken for harmless.
 *
 * With the sets of runs (`--input`, else beside the project) also: whether every tool in them has a label, and how the
 * tools of the set without labels are spread.
 */
export const run: Bench = async ({ input = DATA, progress }) => {
  const catalogue = loadToolCatalogue()
  const judged = readLabels().map((each) => ({ ...each, got: catalogue.classify(each).capability }))
  progress(confusionOf(judged))
  // Those of the other half stay unseen, so that they can be held out again.
  for (const { source, group, tool, label, got } of judged.filter((each) => !isHeldOut(each)))
    if (label !== got) progress(`  ${source}/${group} ${tool}: ${got}, labelled ${label}`)
  return { figures: { ...figuresOf(judged), ...figuresOfSets(input, catalogue, judged, progress) } }
}

function figuresOf(judged: readonly Judged[]): BenchResult['figures'] {
  const heldOut = judged.filter(isHeldOut)
  const accuracy = (some: readonly Judged[]) => round(share(some, ({ label, got }) => label === got))
  const unknowns = judged.filter(({ label, got }) => got === 'unknown' && label !== 'unknown')
  return {
    accuracy: { value: accuracy(judged), unit: 'of tools' },
    accuracy_held_out: { value: accuracy(heldOut), unit: 'of tools' },
    accuracy_looked_at: { value: accuracy(judged.filter((each) => !isHeldOut(each))), unit: 'of tools' },
    unknown_share: { value: round(unknowns.length / judged.length), unit: 'of tools' },
    harmless_errors: { value: judged.filter(isHarmlessError).length, unit: 'tools' },
    harmless_errors_held_out: { value: heldOut.filter(isHarmlessError).length, unit: 'tools' },
    tools: { value: judged.length, unit: 'tools' },
    tools_held_out: { value: heldOut.length, unit: 'tools' },
  }
}

const isHarmlessError = ({ label, got }: Judged): boolean => HARMLESS.has(got) && !HARMLESS.has(label)

/** Rows are labels, columns what the catalogue says; the dangerous kind first, one pair a line. */
function confusionOf(judged: readonly Judged[]): string {
  const pairs = Map.groupBy(judged, ({ label, got }) => `${label}\t${got}`)
  const lines = [...pairs.values()]
    .flatMap((tools) => {
      const [first] = tools
      return first
        ? [{ ...first, tools: tools.length, bad: isHarmlessError(first), right: first.label === first.got }]
        : []
    })
    .sort((a, b) => Number(b.bad) - Number(a.bad) || Number(a.right) - Number(b.right) || b.tools - a.tools)
    .map(({ label, got, tools, bad, right }) =>
      `${label.padEnd(17)} ${got.padEnd(17)} ${String(tools).padStart(4)}  ${bad ? 'taken for harmless' : right ? '' : 'wrong'}`.trimEnd(),
    )
  return ['labelled          got                tools', ...lines].join('\n')
}

function figuresOfSets(
  folder: string,
  catalogue: ToolCatalogue,
  labels: readonly LabelledTool[],
  progress: BenchOptions['progress'],
): BenchResult['figures'] {
  const missing = FILES.filter((file) => !existsSync(join(folder, file)))
  if (missing.length > 0) {
    progress(`SKIPPED the sets of runs: no ${missing.join(', ')} in ${folder}`)
    return {}
  }
  const seen = FILES.flatMap((file) => readSeenTools(join(folder, file)))
  const known = new Set(labels.map(keyOf))
  const sources = new Set(labels.map(({ source }) => source))
  const unlabelled = seen.filter((each) => sources.has(each.source) && !known.has(keyOf(each)))
  for (const each of unlabelled) progress(`no label: ${keyOf(each)}`)
  const others = seen.filter(({ source }) => !sources.has(source))
  const spread = Map.groupBy(others, (each) => catalogue.classify(each).capability)
  progress(`tools without labels (${others.length}):`)
  for (const capability of CAPABILITIES)
    progress(`  ${capability.padEnd(17)} ${String(spread.get(capability)?.length ?? 0).padStart(4)}`)
  return {
    tools_missing_labels: { value: unlabelled.length, unit: 'tools', goal: '<= 0' },
    unknown_share_unlabelled: {
      value: round((spread.get('unknown')?.length ?? 0) / others.length),
      unit: 'of tools',
    },
  }
}

const keyOf = ({ source, server, tool }: Pick<SeenTool, 'source' | 'server' | 'tool'>): string =>
  JSON.stringify([source, server ?? '', tool])

const share = <T>(some: readonly T[], is: (each: T) => boolean): number =>
  some.length === 0 ? 0 : some.filter(is).length / some.length

const round = (value: number): number => Math.round(value * 1000) / 1000
