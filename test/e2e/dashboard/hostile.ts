import type { Page } from 'playwright-core'
import { PATIENCE_MS } from '../../helpers/patience.ts'

/** Text as an attacker would name a tool, an agent or an argument. */
export const HOSTILE: readonly string[] = [
  '<img src=x onerror="window.pwned=1">',
  '"><script>window.pwned=1</script>',
  '<svg/onload=window.pwned=1>',
  "';window.pwned=1;//",
  'javascript:window.pwned=1',
  '{{constructor.constructor("window.pwned=1")()}}',
  '\u0024{window.pwned=1}',
  '\u202egnp.exe\u202c',
  '\u2066isolated\u2069',
  '\u001b[31mred\u001b[0m\u0007',
  'zero\u200bwidth\u200d',
  'nul\u0000byte',
  'lone\ud800surrogate',
  'A'.repeat(10_000),
  '日'.repeat(3_000),
  '__proto__',
  '[object Object]',
]

/** Members that an attacker has a hand in; the others stay what the server said, so that the page is laid out as ever. */
const CHOSEN_BY_OTHERS =
  /^(title|actor|receiver|last_error|note|by|acknowledged_by|message|record|field|value|name|tool|server|destination|usual_hours|silenced_by|rule|chain|id|error\.\w+|user\.\w+|gen_ai\..+|mcp\..+|tool\..+|credential\.id|client\.address|gateway\.id|source_format|topic|order|local_times)$/

let turn = 0

function spoil(value: unknown, key: string): unknown {
  if (typeof value === 'string') {
    if (!CHOSEN_BY_OTHERS.test(key)) return value
    turn += 1
    return key === 'title' ? HOSTILE.join(' ') : HOSTILE[turn % HOSTILE.length]
  }
  if (Array.isArray(value)) return value.map((item) => spoil(item, key))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([member, inner]) => [member, spoil(inner, member)] as const),
  )
}

/**
 * Has every answer of the real server carry hostile text where others choose the text. A screen of one thing (`…/x`)
 * is answered with the first of its list.
 */
export async function hostileAnswers(page: Page): Promise<void> {
  await page.route('**/v1/**', async (route) => {
    const url = new URL(route.request().url())
    // The browser keeps spoiled answers with the tag of the real ones: asked with it, the server would say 304.
    const { 'if-none-match': _, ...headers } = route.request().headers()
    const first = async (list: string, member: string, id: string): Promise<string> => {
      // With the headers of the page: the cookie alone is no session.
      const response = await page.request.get(new URL(list, url).href, { headers, timeout: PATIENCE_MS })
      const body = (await response.json()) as Record<string, Record<string, string>[]>
      return body[member]?.[0]?.[id] ?? 'none'
    }
    const { pathname } = url
    if (/^\/v1\/findings\/x/.test(pathname)) {
      const id = await first('/v1/findings?from=-28d&limit=1', 'findings', 'finding_id')
      url.pathname = pathname.replace('/x', `/${encodeURIComponent(id)}`)
    } else if (pathname === '/v1/alerts/x') {
      const id = await first('/v1/alerts?limit=1', 'alerts', 'alert_id')
      url.pathname = `/v1/alerts/${encodeURIComponent(id)}`
    } else if (pathname === '/v1/events/x') {
      const id = await first('/v1/events?from=-7d&limit=1', 'events', 'event_id')
      url.pathname = `/v1/events/${encodeURIComponent(id)}`
    } else if (pathname === '/v1/chains') {
      url.searchParams.set('key', await first('/v1/events?from=-7d&limit=1', 'events', 'chain'))
    }
    const response = await route.fetch({ url: url.href, headers, timeout: PATIENCE_MS })
    await route.fulfill({ response, body: JSON.stringify(spoil(await response.json(), '')) })
  })
}
