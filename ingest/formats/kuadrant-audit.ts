import { emptyDraft } from '../empty-draft.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { isObject, notATime, set, statusOf, textOf } from './field-values.ts'
import { readTime } from './read-time.ts'

/**
 * The audit line of Kuadrant’s MCP router (`audit=true`, `--log-format=json`). `tool` carries a prefix that the operator
 * chose, so it cannot be split; `session` is a hash or an id, never the secret.
 */
export const kuadrantAudit: Format = {
  name: 'kuadrant-audit',
  marks: { needs: ['audit', 'tool'], usual: ['user', 'server', 'status', 'session', 'request_id'] },
  recognises: ({ json }) => isObject(json) && json['audit'] === true && 'tool' in json,
  decode,
}

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const line = isObject(json) ? json : {}
  const draft = emptyDraft()
  if (line['time'] !== undefined) {
    const occurredAt = readTime(line['time'])
    if (occurredAt === undefined) return [notATime('time', line['time'])]
    draft.occurred_at = occurredAt
  }
  set(draft, 'user.id', textOf(line['user']))
  set(draft, 'mcp.server.name', textOf(line['server']))
  set(draft, 'gen_ai.tool.name', textOf(line['tool']))
  draft['mcp.method.name'] = 'tools/call'
  set(draft, 'mcp.session.id', textOf(line['session']))
  const status = statusOf(line['status'])
  set(draft, 'http.response.status_code', status)
  if (status !== undefined && status >= 400) draft['error.type'] = String(status)
  return [{ kind: 'event', draft }]
}
