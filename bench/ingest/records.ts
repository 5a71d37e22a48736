/**
 * Audit records as a gateway would send them in the native format: about 520 bytes, 200 people, 90 tools, sessions of
 * some forty calls. The same number gives the same record.
 */
export function benchRecord(number: number): string {
  const at = new Date(Date.UTC(2026, 9, 1) + number * 37).toISOString()
  const person = number % 200
  const tool = (number * 7919) % 90
  return JSON.stringify({
    event_id: `bench-${number}`,
    occurred_at: at,
    'user.email': `person-${person}@example.com`,
    'gen_ai.agent.name': `assistant-${person % 12}`,
    'mcp.client.name': 'example-client',
    'client.address': `10.0.${person % 16}.${person}`,
    'gateway.id': 'gateway-1',
    'mcp.server.name': `server-${tool % 9}`,
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': `tool_${tool}`,
    'gen_ai.tool.call.arguments': `{"query":"customer ${number % 5000}","limit":${tool}}`,
    outcome: number % 37 === 0 ? 'failure' : 'success',
    duration_ms: 12.5 + (number % 400),
    response_bytes: 200 + ((number * 31) % 9000),
    'mcp.session.id': `session-${Math.floor(number / 8000)}-${person}`,
  })
}
