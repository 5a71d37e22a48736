import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { GatewatchError } from '../../../core/errors.ts'
import { parseToolCatalogue, wordsOf } from '../../../core/tool-catalogue.ts'

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
    [undefined, 'notion.post-search', 'read'],
    [undefined, 'run_query', 'read'],
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
  })

  it('knows the methods that are no tools', () => {
    expect(shipped.classify({ method: 'tools/list' }).capability).toBe('recon')
    expect(shipped.classify({ method: 'ping' }).capability).toBe('read')
    expect(shipped.classify({ method: 'llm/chat' }).capability).toBe('unknown')
  })
})

it('splits names into words', () => {
  expect(wordsOf('mcp__github__getUserByID')).toEqual(['get', 'user', 'by', 'id'])
  expect(wordsOf('crm-get_customer.v2')).toEqual(['crm', 'get', 'customer', 'v2'])
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
    ['rules: [', undefined],
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
})
