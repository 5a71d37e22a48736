import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CAPABILITIES } from '../../../core/audit-event.ts'
import { GatewatchError } from '../../../core/errors.ts'
import { parseToolCatalogue, parseToolCatalogues, wordsOf } from '../../../core/tool-catalogue.ts'
import { cpuMsOf } from '../../helpers/cpu-time.ts'

const shipped = parseToolCatalogue(
  readFileSync(new URL('../../../core/tool-catalogue.yaml', import.meta.url), 'utf8'),
)
const capability = (server: string | undefined, tool: string) => shipped.classify({ server, tool }).capability

describe('the shipped catalogue', () => {
  it.each([
    ['github', 'get_issue', 'ingest-untrusted'],
    ['github', 'get_file_contents', 'read-sensitive'],
    ['github', 'create_pull_request', 'write'],
    ['github', 'search_repositories', 'recon'],
    ['slack', 'slack_post_message', 'send-external'],
    ['slack', 'slack_get_channel_history', 'read-sensitive'],
    ['filesystem', 'read_text_file', 'read-sensitive'],
    ['filesystem', 'list_directory', 'recon'],
    ['postgres', 'query', 'read-sensitive'],
    ['hashicorp-vault', 'kv_get', 'read-credential'],
    ['aws-mcp', 'get_secret_value', 'read-credential'],
    ['fetch', 'fetch', 'ingest-untrusted'],
    ['playwright', 'browser_evaluate', 'execute'],
    ['gmail', 'send_email', 'send-external'],
    ['gmail', 'search_emails', 'ingest-untrusted'],
    ['aws', 'call_aws', 'execute'],
    ['kubernetes', 'kubectl_get', 'read'],
    ['kubernetes', 'pods_exec', 'execute'],
    ['terraform', 'terraform_apply', 'admin'],
    ['snowflake', 'describe_table', 'recon'],
    ['salesforce', 'query_records', 'read-sensitive'],
    ['stripe', 'create_refund', 'send-external'],
    ['okta', 'reset_user_factors', 'admin'],
    [undefined, 'bash', 'execute'],
    [undefined, 'delete_everything', 'delete'],
    [undefined, 'notion.post-search', 'read-sensitive'],
    [undefined, 'post-search', 'read'],
    [undefined, 'run_query', 'read-sensitive'],
    ['reports', 'read_query', 'read-sensitive'],
    ['reports', 'write_query', 'write'],
    [undefined, 'execute_sql', 'execute'],
    ['cluster', 'kubectl_generic', 'execute'],
    [undefined, 'get_draft_emails', 'read-sensitive'],
    [undefined, 'get_received_emails', 'ingest-untrusted'],
    [undefined, 'get_customer_email', 'read-sensitive'],
    [undefined, 'update_user_info', 'write'],
    [undefined, 'create_user', 'admin'],
    [undefined, 'update_password', 'admin'],
    [undefined, 'remove_member', 'admin'],
    [undefined, 'revoke_access', 'admin'],
    [undefined, 'invite_user_to_workspace', 'admin'],
    [undefined, 'invite_guest', 'send-external'],
    [undefined, 'schedule_payment', 'send-external'],
    [undefined, 'schedule_meeting', 'write'],
    [undefined, 'transfer_to_human_agents', 'write'],
    [undefined, 'calculate', 'read'],
    [undefined, 'list_tables', 'recon'],
    [undefined, 'list_transactions', 'read-sensitive'],
    [undefined, 'list_hotels', 'read'],
    [undefined, 'get_hotel_reviews', 'ingest-untrusted'],
    [undefined, 'get_passwords', 'read-credential'],
    [undefined, 'scrape_page', 'ingest-untrusted'],
    ['wikipedia', 'get_summary', 'ingest-untrusted'],
    ['excel', 'excel_read_range', 'read-sensitive'],
    ['search', 'search_everything', 'read'],
    [undefined, 'message_send', 'send-external'],
    [undefined, 'mail_search', 'read-sensitive'],
    [undefined, 'post', 'send-external'],
    [undefined, 'search_and_replace', 'write'],
    [undefined, 'find_or_create_user', 'admin'],
    [undefined, 'fetch_then_frobnicate', 'read'],
    [undefined, 'mcp__github__get_issue', 'ingest-untrusted'],
    [undefined, 'zap_customer_data', 'unknown'],
    [undefined, 'löschen', 'unknown'],
    [undefined, 'update_user_role', 'admin'],
    [undefined, 'bulkDeleteRecords', 'delete'],
    [undefined, 'frobnicate', 'unknown'],
    [undefined, '', 'unknown'],
  ])('%s %s: %s', (server, tool, expected) => {
    expect(capability(server, tool)).toBe(expected)
  })

  it('says how sensitive', () => {
    expect(shipped.classify({ server: 'vault', tool: 'read' }).sensitivity).toBe('secret')
    expect(shipped.classify({ server: 'postgres', tool: 'anything' }).sensitivity).toBe('confidential')
    expect(shipped.classify({ server: 'weather', tool: 'get' }).sensitivity).toBe('none')
    expect(shipped.classify({ tool: 'get_passwords' }).sensitivity).toBe('secret')
    expect(shipped.classify({ tool: 'get_balance' }).sensitivity).toBe('internal')
  })

  it('knows the methods that are no tools', () => {
    expect(shipped.classify({ method: 'tools/list' }).capability).toBe('recon')
    expect(shipped.classify({ method: 'ping' }).capability).toBe('read')
    expect(shipped.classify({ method: 'llm/chat' }).capability).toBe('unknown')
  })
})

it('classifies any text, the same every time, without slowing down', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.anything(), (server, tool, annotations) => {
      const first = shipped.classify({ server, tool, annotations })
      expect(CAPABILITIES).toContain(first.capability)
      expect(shipped.classify({ server, tool, annotations })).toEqual(first)
    }),
  )
  const cpuMs = cpuMsOf(() => {
    for (const part of ['A', '_', 'get_', 'and_', 'a1', 'create_user_'])
      shipped.classify({ server: part.repeat(1024), tool: part.repeat(1024) })
  })
  expect(cpuMs).toBeLessThan(5_000)
})

describe('the hints of a definition', () => {
  const hinted = (tool: string, annotations: unknown) =>
    shipped.classify({ server: 'shop', tool, annotations }).capability

  it('make a tool that no rule knows riskier than its name', () => {
    expect(hinted('get_frob', { readOnlyHint: false })).toBe('write')
    expect(hinted('get_frob', { destructiveHint: true })).toBe('delete')
    expect(hinted('get_frob', { readOnlyHint: true, openWorldHint: true })).toBe('ingest-untrusted')
    expect(hinted('frobnicate', { destructiveHint: true })).toBe('delete')
    expect(hinted('get_frob', undefined)).toBe('read')
  })

  it('never make a known one less so, and never overrule the catalogue', () => {
    const reads = { readOnlyHint: true, openWorldHint: true }
    expect(hinted('send_frob', reads)).toBe('send-external')
    expect(hinted('get_balance', reads)).toBe('read-sensitive')
    expect(hinted('bash', reads)).toBe('execute')
    expect(hinted('run_query', { destructiveHint: true })).toBe('read-sensitive')
    expect(hinted('send_frob', { destructiveHint: true })).toBe('send-external')
  })

  it('tell what an unknown tool does when they say that it only reads', () => {
    expect(hinted('frobnicate', { readOnlyHint: true })).toBe('read')
    expect(hinted('frobnicate', { readOnlyHint: 'true' })).toBe('unknown')
    expect(hinted('frobnicate', 'readOnlyHint')).toBe('unknown')
    expect(hinted('frobnicate', {})).toBe('unknown')
  })
})

it('splits names into words', () => {
  expect(wordsOf('mcp__github__getUserByID')).toEqual(['get', 'user', 'by', 'id'])
  expect(wordsOf('crm-get_customer.v2')).toEqual(['crm', 'get', 'customer', 'v2'])
  expect(wordsOf('readURLText')).toEqual(['read', 'url', 'text'])
  expect(wordsOf('KÜNDIGE_vertrag')).toEqual(['kündige', 'vertrag'])
})

describe('a catalogue of one’s own', () => {
  it('takes the first rule for each of the two', () => {
    const own = parseToolCatalogue(
      'rules:\n- {server: a*, sensitivity: secret}\n- {tool: [x, y.z], capability: admin, sensitivity: none}\n',
    )
    expect(own.classify({ server: 'ABC', tool: 'X' })).toEqual({ capability: 'admin', sensitivity: 'secret' })
    expect(own.classify({ server: 'b', tool: 'yaz' })).toEqual({ capability: 'unknown', sensitivity: 'none' })
  })

  it.each([
    ['rules: [{}]', 'rules[0]'],
    ['rules: [{tools: x, capability: read}]', 'rules[0]'],
    ['rules: [text]', 'rules[0]'],
    ['words: {read: [Frob]}', 'words.read'],
    ['weak_words: {read: frob}', 'weak_words.read'],
    ['subjects: [{of: read, words: [x]}]', 'subjects[0]'],
    ['subjects: [{words: [x], capability: read}]', 'subjects[0].of'],
    ['subjects: [{of: read, words: x, capability: read}]', 'subjects[0].words'],
    ['verbs: {}', ''],
    ['- rules', undefined],
    ['rules: {}', 'rules'],
    ['rules: [{capability: everything}]', 'rules[0].capability'],
    ['rules: [{sensitivity: high}]', 'rules[0].sensitivity'],
    ['rules: [{tool: 5}]', 'rules[0].tool'],
    ['words: {chaos: [x]}', 'words.chaos'],
    ['text', undefined],
  ])('names the fault in %j', (yaml, field) => {
    let thrown: unknown
    try {
      parseToolCatalogue(yaml, 'mine.yaml')
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(GatewatchError)
    expect(thrown).toMatchObject({
      code: 'config_invalid',
      place: { at: 'mine.yaml', ...(field ? { field } : {}) },
    })
  })

  it('says the line of a fault in the YAML', () => {
    expect(() => parseToolCatalogue('words: {}\nrules: [', 'mine.yaml')).toThrow(
      expect.objectContaining({ place: expect.objectContaining({ at: 'mine.yaml:2' }) }),
    )
  })

  it('is asked before the next one: rules, words and subjects', () => {
    const text = [
      'rules: [{ tool: get_frob, capability: execute }]',
      'words: { delete: [frobnicate, send] }',
      'weak_words: { recon: [get] }',
      'subjects: [{ of: write, words: [frob], capability: send-external }]',
    ].join('\n')
    const shippedText = readFileSync(new URL('../../../core/tool-catalogue.yaml', import.meta.url), 'utf8')
    const both = parseToolCatalogues([
      { text, at: 'mine.yaml' },
      { text: shippedText, at: 'shipped.yaml' },
    ])
    const said = (tool: string) => both.classify({ tool }).capability
    expect(
      ['get_frob', 'frobnicate', 'send_frob', 'get_send', 'write_frob', 'write_role', 'bash'].map(said),
    ).toEqual(['execute', 'delete', 'delete', 'delete', 'send-external', 'admin', 'execute'])
  })
})
