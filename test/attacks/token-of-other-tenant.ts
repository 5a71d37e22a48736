import type { Attack, AttackResult } from './attack.ts'

/** `intake.sources` says whose records a source's are. A token for the source must say the same. */
export const attack: Attack = {
  name: 'With a token for a source its records land in another tenant than the settings say, or are read there',
  kind: 'tenant of a token',
  section: 3,
  async run({ fresh }): Promise<AttackResult> {
    const target = await fresh({ ofSources: { tenant: 'globex' } })
    const json = { 'content-type': 'application/json' }
    const mint = async (capabilities: readonly string[]) => {
      const answer = await target.post(
        '/v1/token',
        JSON.stringify({ source: 'victim-1', capabilities }),
        json,
      )
      return answer.ok ? ((await answer.json()) as { token: string }).token : undefined
    }
    const token = await mint(['events:write'])
    if (token === undefined) throw new Error('no token for the source')
    const record = { timestamp: new Date().toISOString(), tool: 'token_of_other_tenant', caller: 'mallory' }
    const sent = await fetch(new URL('/v1/events', target.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...json, 'x-gatewatch-wait': 'stored' },
      body: JSON.stringify({ ...record, param_keys: [], result_length: 1, success: true }),
    })
    if (sent.status !== 202) throw new Error(`/v1/events: ${sent.status} ${await sent.text()}`)
    await sent.body?.cancel()
    const inDefault = await target.search('tool:token_of_other_tenant')
    const reading = await mint(['events:read'])
    let foreign = 0
    if (reading !== undefined) {
      const answer = await fetch(new URL('/v1/events', target.url), {
        headers: { authorization: `Bearer ${reading}` },
      })
      const { events } = (await answer.json()) as { events: { tenant: string }[] }
      foreign = events.filter(({ tenant }) => tenant !== 'default').length
    }
    return {
      succeeded: inDefault.length > 0 || foreign > 0,
      detail: `${inDefault.length} records of globex's source in default; ${foreign} rows of globex read from default`,
    }
  },
}
