import type { Attack } from './attack.ts'
import { askForFatCalls } from './fat-answers.ts'

export const attack: Attack = {
  name: 'A page of a thousand fat calls comes in one answer that takes the memory, or does not show all of them',
  kind: 'fat page',
  section: 2,
  run: (context) =>
    askForFatCalls(context, {
      idPrefix: 'fat-page',
      fields: { 'gen_ai.tool.name': 'fat_page' },
      path: '/v1/events',
      query: { q: 'tool:fat_page', from: '-1d', limit: '1000' },
    }),
}
