import type { Attack } from './attack.ts'
import { askForFatCalls } from './fat-answers.ts'

export const attack: Attack = {
  name: 'A chain of many fat calls comes in one answer that takes the memory',
  kind: 'fat chain',
  section: 2,
  run: (context) =>
    askForFatCalls(context, {
      idPrefix: 'fat',
      fields: { 'gen_ai.tool.name': 'read_file', 'mcp.session.id': 'fat-chain' },
      path: '/v1/chains',
      query: { key: 'session:fat-chain' },
    }),
}
