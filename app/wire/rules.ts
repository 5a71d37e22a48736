import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Gauge, type Registry } from 'prom-client'
import { parseDocument } from 'yaml'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { HealthCheck } from '../../core/health.ts'
import { valueOfYaml } from '../../core/yaml-value.ts'
import { detectors } from '../../detectors/registry.ts'
import { type ParsedRules, parseRules, type RuleFile } from '../../detectors/rule.ts'
import type { Config } from '../config/config.ts'
import { reasonOf } from '../config/secrets.ts'

// As many as detectors/rule.ts allows.
const MAX_ALIASES = 16
const SHIPPED_RULES = fileURLToPath(new URL('../../detectors/rules/', import.meta.url))
const SHIPPED_SIGNALS = fileURLToPath(new URL('../../detectors/signals/', import.meta.url))

/**
 * Reads the rule files of the shipped set and of the configured folders. Rules that are wrong, and files that cannot be
 * read, are among the errors.
 * @throws GatewatchError `config_invalid` for a folder that cannot be read
 */
export function loadRules(config: Config['rules']): ParsedRules {
  return loadFrom(config.shipped ? ruleFilesIn(SHIPPED_RULES) : [], config)
}

/**
 * The rules and the shipped signals: rules too weak to be an alert by themselves, which add weight to one. Only what adds findings
 * up (`backtest --alerts`) may ask them; each of their findings would be an alert of its own elsewhere.
 * @throws as `loadRules`
 */
export function loadRulesAndSignals(config: Config['rules']): ParsedRules {
  const shipped = config.shipped ? [...ruleFilesIn(SHIPPED_RULES), ...ruleFilesIn(SHIPPED_SIGNALS)] : []
  return loadFrom(shipped, config)
}

/**
 * The rules of these files, and of the files in these folders, beside the shipped ones, whose ids are taken.
 * @returns only what is about the files that were named
 * @throws GatewatchError `request_invalid` for a path that cannot be read, or a folder without rule files
 */
export function loadRulesAt(named: readonly string[], config: Config['rules']): ParsedRules {
  const paths = [...new Set(named.flatMap(ruleFilesAt))]
  const own = new Set(paths.map((path) => resolve(path)))
  const shipped = config.shipped ? [...ruleFilesIn(SHIPPED_RULES), ...ruleFilesIn(SHIPPED_SIGNALS)] : []
  const { rules, ...refused } = loadFrom([...shipped.filter((path) => !own.has(resolve(path))), ...paths], {
    ...config,
    folders: [],
  })
  return { ...refused, rules: rules.filter(({ path }) => own.has(resolve(path))) }
}

function ruleFilesAt(path: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path]
    const files = ruleFilesIn(path)
    if (files.length > 0) return files
  } catch (cause) {
    throw new GatewatchError('request_invalid', `${path} cannot be read: ${reasonOf(cause)}.`, {
      cause,
      field: 'PATH',
      remedy: 'Name a rule file, or a folder of rule files, that is there and that this user may read.',
    })
  }
  throw new GatewatchError('request_invalid', `${path} has no rule files.`, {
    field: 'PATH',
    remedy: 'Name a folder with files that end in .yaml, or a file.',
  })
}

function loadFrom(
  shippedPaths: readonly string[],
  { folders, places = [], limits }: Config['rules'],
): ParsedRules {
  const paths = [
    ...shippedPaths,
    ...folders.flatMap((folder, index) => {
      try {
        return ruleFilesIn(folder)
      } catch (cause) {
        throw new GatewatchError(
          'config_invalid',
          `The rules in ${folder} cannot be read: ${reasonOf(cause)}.`,
          {
            cause,
            ...(places[index] ?? { field: `rules.folders.${index}` }),
            remedy: 'Name a folder of rule files (*.yaml) that this user may read, or leave it out.',
          },
        )
      }
    }),
  ]
  const files: RuleFile[] = []
  const unread: GatewatchError[] = []
  for (const path of paths) {
    const file = readRuleFile(path)
    if (file instanceof GatewatchError) unread.push(file)
    else files.push(file)
  }
  const { rules, errors, faults } = parseRules(files, detectors, limits)
  return { rules, errors: [...unread, ...errors], faults: [...unread, ...faults] }
}

const ruleFilesIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(folder, name))

/** One file that cannot be read is no reason to run without the other rules. */
function readRuleFile(path: string): RuleFile | GatewatchError {
  try {
    const text = readFileSync(path, 'utf8')
    return aliasFault(path, text) ?? { path, text }
  } catch (cause) {
    return new GatewatchError('rule_invalid', `cannot be read: ${reasonOf(cause)}.`, {
      ...{ cause, at: path, field: 'rule' },
      remedy: 'Let this user read the file, or take it out of the folder, and start gatewatch again.',
    })
  }
}

/** Aliases that grow beyond measure, or lead back to what they are in: one such file is no reason not to start. */
function aliasFault(path: string, text: string): GatewatchError | undefined {
  const document = parseDocument(text, { prettyErrors: false })
  if (document.errors.length > 0) return undefined
  try {
    valueOfYaml(document, MAX_ALIASES)
    return undefined
  } catch (cause) {
    return new GatewatchError('rule_invalid', `is not valid YAML: ${messageOf(cause)}.`, {
      ...{ cause, at: path, field: 'rule' },
      remedy: 'Write the rule out, without aliases.',
    })
  }
}

/** Degraded by each rule that was refused: it does not run, and the others do. */
export const rulesHealth =
  ({ errors }: Pick<ParsedRules, 'errors'>): HealthCheck =>
  () =>
    errors.map((error) => ({ state: 'degraded', reason: 'rule_refused', detail: error.toLine() }))

/** How many rules run, and how many were refused. */
export function addRuleGauge({ rules, errors }: ParsedRules, registry: Registry): void {
  const gauge = new Gauge({
    name: 'gatewatch_detect_rules',
    help: 'Detection rules of this start, by state: running or refused',
    labelNames: ['state'],
    registers: [registry],
  })
  gauge.set({ state: 'running' }, rules.length)
  gauge.set({ state: 'refused' }, errors.length)
}
