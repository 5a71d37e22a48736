import type { Command } from 'commander'
import { type AccessFlags, openAccess } from '../access.ts'
import { addAccessOptions, limitOption, time } from '../options.ts'
import { createOutput } from '../output.ts'

interface ToolsFlags extends AccessFlags {
  readonly server?: string
  readonly tool?: string
  readonly since?: string
  readonly changes?: boolean
  readonly limit: number
  readonly json?: boolean
}

interface Definition {
  readonly server: string
  readonly tool: string
  readonly source_format: string
  readonly definition_hash: string
  readonly first_seen: string
  readonly last_seen: string
  readonly definition: { readonly description?: unknown }
}

interface Change {
  readonly server: string
  readonly tool: string
  readonly changed_at: string
  readonly fields: readonly string[]
  readonly before: Definition
  readonly after: Definition
}

export function addToolsCommand(program: Command): void {
  addAccessOptions(program.command('tools'))
    .option('--server <SERVER>', 'only this MCP server')
    .option('--tool <TOOL>', 'only this tool')
    .option('--since <TIME>', 'only what was seen, or changed, since then (-7d)', time)
    .option('--changes', 'what changed, newest first, instead of what there is')
    .addOption(limitOption(1000))
    .description('Definitions of tools, as servers listed them, and how they changed.')
    .action(async (flags: ToolsFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const access = await openAccess(flags)
      const query = { server: flags.server, tool: flags.tool, from: flags.since, limit: flags.limit }
      try {
        if (flags.changes) {
          const { changes } = await access.get<{ changes: Change[] }>('/v1/tool-definitions/changes', query)
          for (const change of changes) output.json(change)
          output.table(
            ['changed', 'server', 'tool', 'what', 'before', 'after'],
            changes.map(({ changed_at, server, tool, fields, before, after }) => [
              changed_at,
              server,
              tool,
              fields.join(', '),
              descriptionOf(before),
              descriptionOf(after),
            ]),
          )
          return
        }
        const { tool_definitions: definitions } = await access.get<{ tool_definitions: Definition[] }>(
          '/v1/tool-definitions',
          query,
        )
        for (const definition of definitions) output.json(definition)
        output.table(
          ['server', 'tool', 'first seen', 'last seen', 'description'],
          definitions.map((each) => [
            each.server,
            each.tool,
            each.first_seen,
            each.last_seen,
            descriptionOf(each),
          ]),
        )
      } finally {
        await access.close()
      }
    })
}

const descriptionOf = ({ definition: { description } }: Definition): string =>
  typeof description === 'string' ? description : ''
