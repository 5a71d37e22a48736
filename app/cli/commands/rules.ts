import type { Command } from 'commander'
import { loadConfig } from '../../config/config.ts'
import { loadRules } from '../../wire/rules.ts'
import { addCommonOptions, type RunFlags } from '../options.ts'
import { createOutput } from '../output.ts'

export function addRulesCommand(program: Command): void {
  const rules = program.command('rules').description('The detection rules.')
  addCommonOptions(rules.command('list'))
    .description('List the rules that run; exit 2 when a rule file is wrong.')
    .action((flags: RunFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const { rules: found, errors } = loadRules(loadConfig(flags).rules)
      for (const { id, version, kind, title, severity, tags, path } of found) {
        output.json({ id, version, detector: kind, title, ...(severity ? { severity } : {}), tags, path })
      }
      output.table(
        ['rule', 'version', 'detector', 'title'],
        found.map(({ id, version, kind, title }) => [id, version, kind, title]),
      )
      for (const error of errors) output.note(error.toLine())
      if (errors.length > 0) process.exitCode = 2
    })
}
