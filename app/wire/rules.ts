import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Gauge, type Registry } from 'prom-client'
import { GatewatchError } from '../../core/errors.ts'
import type { HealthCheck } from '../../core/health.ts'
import { detectors } from '../../detectors/registry.ts'
import { type ParsedRules, parseRules } from '../../detectors/rule.ts'
import type { Config } from '../config/config.ts'
import { reasonOf } from '../config/secrets.ts'

const SHIPPED_RULES = fileURLToPath(new URL('../../detectors/rules/', import.meta.url))

/**
 * Reads the rule files of the shipped set and of the configured folders. Rules that are wrong are among the errors.
 * @throws GatewatchError `config_invalid` for a folder or a file that cannot be read
 */
export function loadRules({ shipped, folders, places = [], limits }: Config['rules']): ParsedRules {
  const files = [
    ...(shipped ? ruleFilesIn(SHIPPED_RULES) : []),
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
  return parseRules(files, detectors, limits)
}

const ruleFilesIn = (folder: string): { readonly path: string; readonly text: string }[] =>
  readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(folder, name))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))

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
