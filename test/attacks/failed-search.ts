import type { Attack, AttackResult } from './attack.ts'

const SECRET = 'zebra-crossing-4711'

/** What people search for is often what they should not have: a leaked password, the name of whom they suspect. */
export const attack: Attack = {
  name: 'What somebody searched for stands in the log, when the search fails',
  kind: 'failed search',
  section: 3,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const cursor = Buffer.from(JSON.stringify(['2026-99-99T99:99:99.999999Z', 'A'.repeat(32)])).toString(
      'base64url',
    )
    const searches = [
      `/v1/events?q=${SECRET}&cursor=${cursor}`,
      `/v1/events?q=user.id:${SECRET}&cursor=${cursor}`,
      `/v1/events?q=tool:*${SECRET}*&cursor=${cursor}`,
      `/v1/events?q=(${SECRET}`,
      `/v1/events?q=duration_ms:${SECRET}`,
      `/v1/events?q=client.address:${SECRET}/99`,
      `/v1/events?q=${SECRET}&from=${SECRET}`,
      `/v1/events?q=${encodeURIComponent(`${SECRET}\0'"\\`)}&limit=1`,
      `/v1/dead-letters?text=${SECRET}&reason=${SECRET}`,
      `/v1/chains?key=${SECRET}&cursor=${cursor}`,
      `/v1/volume?q=${SECRET}&bucket=${SECRET}`,
      `/v1/facets?field=${SECRET}&q=${SECRET}`,
    ]
    const statuses: number[] = []
    for (const path of searches) {
      const answer = await target.ask(path)
      await answer.body?.cancel()
      statuses.push(answer.status)
    }
    const said = target.log().includes(SECRET)
    return { succeeded: said, detail: `answers ${statuses.join(', ')}; the log has the value: ${said}` }
  },
}
