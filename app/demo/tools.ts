import type { Random } from './random.ts'

/** One tool of an MCP server as the demo’s organisation uses it. */
export interface Tool {
  readonly server: string
  readonly name: string
  /** Median duration in milliseconds and median size of the answer in bytes. */
  readonly durationMs: number
  readonly answerBytes: number
  readonly argumentsOf: (random: Random) => Readonly<Record<string, unknown>>
}

const REPOSITORIES = [
  'acme/checkout',
  'acme/storefront',
  'acme/billing',
  'acme/platform',
  'acme/mobile',
  'acme/data-pipelines',
]
const FILES = [
  'src/index.ts',
  'src/cart.ts',
  'README.md',
  'src/api/orders.ts',
  'deploy/values.yaml',
  'src/auth/session.ts',
]
const PROJECTS = ['SHOP', 'BILL', 'PLAT', 'DATA']
const CHANNELS = ['#eng-checkout', '#incidents', '#support', '#finance', '#sales-emea', '#general']
const CUSTOMERS = [
  'northwind.example',
  'contoso.example',
  'fabrikam.example',
  'tailspin.example',
  'litware.example',
  'adatum.example',
]
const TABLES = ['orders', 'customers', 'refunds', 'sessions', 'invoices', 'inventory']
const SITES = [
  'https://developer.mozilla.example/docs',
  'https://news.example/technology',
  'https://status.cloud.example',
  'https://blog.kubernetes.example',
  'https://docs.stripe.example/api',
]
const NAMESPACES = ['checkout', 'billing', 'platform', 'observability']
const FOLDERS = ['/srv/reports', '/srv/exports', '/srv/contracts']
const REGIONS = ['emea', 'amer', 'apac']

const issue = (random: Random) => `${random.pick(PROJECTS)}-${random.int(100, 4999)}`
const customer = (random: Random) => random.pick(CUSTOMERS)

// Composed here, so that no scanner takes them for real ones. They are there to be redacted.
const fakeToken = (random: Random) => ['ghp', random.hex(36)].join('_')
const fakeDatabaseUrl = (random: Random) => `postgres://report:${random.hex(12)}@db.internal:5432/shop`

const tool = (
  path: string,
  durationMs: number,
  answerBytes: number,
  argumentsOf: Tool['argumentsOf'],
): [string, Tool] => {
  const [server = '', name = ''] = path.split('/')
  return [path, { server, name, durationMs, answerBytes, argumentsOf }]
}

const TOOLS: ReadonlyMap<string, Tool> = new Map([
  tool('github/search_code', 420, 9_000, (r) => ({ q: `repo:${r.pick(REPOSITORIES)} ${r.pick(TABLES)}` })),
  tool('github/get_file_contents', 180, 6_500, (r) => ({ repo: r.pick(REPOSITORIES), path: r.pick(FILES) })),
  tool('github/list_pull_requests', 260, 12_000, (r) => ({ repo: r.pick(REPOSITORIES), state: 'open' })),
  tool('github/get_pull_request', 210, 7_000, (r) => ({
    repo: r.pick(REPOSITORIES),
    pull_number: r.int(100, 900),
  })),
  tool('github/create_pull_request_review', 380, 900, (r) => ({
    repo: r.pick(REPOSITORIES),
    pull_number: r.int(100, 900),
    event: 'COMMENT',
  })),
  tool('github/create_pull_request', 610, 1_800, (r) => ({
    repo: r.pick(REPOSITORIES),
    title: `Fix ${issue(r)}`,
    base: 'main',
  })),
  tool('github/create_issue', 450, 1_100, (r) => ({
    repo: r.pick(REPOSITORIES),
    title: `Investigate ${r.pick(TABLES)}`,
  })),
  tool('github/delete_repository', 900, 120, () => ({ repo: 'acme/storefront-archive', confirm: true })),
  tool('jira/search_issues', 340, 8_000, (r) => ({
    jql: `project = ${r.pick(PROJECTS)} AND status = "In Progress"`,
  })),
  tool('jira/get_issue', 160, 3_200, (r) => ({ key: issue(r) })),
  tool('jira/add_comment', 240, 400, (r) => ({ key: issue(r), body: 'Updated after review.' })),
  tool('jira/transition_issue', 290, 300, (r) => ({
    key: issue(r),
    transition: r.pick(['In Review', 'Done']),
  })),
  tool('confluence/search_pages', 310, 7_000, (r) => ({ query: `${r.pick(TABLES)} runbook` })),
  tool('confluence/get_page', 200, 14_000, (r) => ({ page_id: r.int(10_000, 10_400) })),
  tool('confluence/update_page', 520, 800, (r) => ({
    page_id: r.int(10_000, 10_400),
    title: 'Weekly notes',
  })),
  tool('slack/search_messages', 280, 5_000, (r) => ({ query: r.pick(TABLES), count: 20 })),
  tool('slack/get_channel_history', 220, 9_000, (r) => ({ channel: r.pick(CHANNELS), limit: 50 })),
  tool('slack/post_message', 190, 300, (r) => ({
    channel: r.pick(CHANNELS),
    text: `Status of ${issue(r)}: done`,
  })),
  tool('postgres/list_tables', 40, 2_000, () => ({ schema: 'public' })),
  tool('postgres/query', 95, 16_000, (r) =>
    r.chance(0.002)
      ? { sql: `SELECT count(*) FROM ${r.pick(TABLES)}`, connection: fakeDatabaseUrl(r) }
      : {
          sql: `SELECT * FROM ${r.pick(TABLES)} WHERE created_at > now() - interval '1 day' LIMIT ${r.pick([50, 100, 200])}`,
        },
  ),
  tool('snowflake/run_query', 2_400, 30_000, (r) => ({
    sql: `SELECT region, sum(amount) FROM ${r.pick(TABLES)} GROUP BY 1`,
    warehouse: 'ANALYTICS_S',
  })),
  tool('snowflake/describe_table', 320, 2_500, (r) => ({ table: r.pick(TABLES) })),
  tool('vault/read_secret', 60, 350, (r) => ({ path: `secret/data/${r.pick(NAMESPACES)}/config` })),
  tool('vault/list_secrets', 50, 900, (r) => ({ path: `secret/metadata/${r.pick(NAMESPACES)}` })),
  tool('kubernetes/list_pods', 150, 11_000, (r) => ({ namespace: r.pick(NAMESPACES) })),
  tool('kubernetes/get_pod_logs', 380, 24_000, (r) => ({
    namespace: r.pick(NAMESPACES),
    pod: `api-${r.hex(5)}`,
    tail: 200,
  })),
  tool('kubernetes/apply_manifest', 1_100, 700, (r) => ({
    namespace: r.pick(NAMESPACES),
    kind: 'Deployment',
  })),
  tool('kubernetes/exec_command', 800, 2_000, () => ({
    namespace: 'billing',
    pod: 'api-7f9c4',
    command: 'printenv',
  })),
  tool('terraform/plan', 8_200, 18_000, (r) => ({ workspace: `${r.pick(NAMESPACES)}-prod` })),
  tool('sentry/list_issues', 260, 10_000, (r) => ({ project: r.pick(NAMESPACES), query: 'is:unresolved' })),
  tool('sentry/get_issue', 190, 8_000, (r) => ({ issue_id: r.int(50_000, 59_999) })),
  tool('filesystem/list_directory', 12, 1_500, (r) => ({ path: r.pick(FOLDERS) })),
  tool('filesystem/read_file', 18, 9_000, (r) => ({ path: `${r.pick(FOLDERS)}/2026-${r.int(10, 12)}.csv` })),
  tool('filesystem/write_file', 25, 90, (r) => ({ path: `${r.pick(FOLDERS)}/summary.md`, content: '…' })),
  tool('fetch/fetch', 740, 22_000, (r) =>
    r.chance(0.002)
      ? { url: 'https://api.github.example/rate_limit', headers: { authorization: `Bearer ${fakeToken(r)}` } }
      : { url: `${r.pick(SITES)}/${r.int(1, 400)}` },
  ),
  tool('gmail/search_messages', 330, 8_000, (r) => ({ query: `from:${customer(r)}` })),
  tool('gmail/read_message', 170, 5_000, (r) => ({ message_id: r.hex(16) })),
  tool('gmail/send_email', 410, 250, (r) => ({
    to: `accounts@${customer(r)}`,
    subject: `Your order ${r.int(1000, 9999)}`,
  })),
  tool('gdrive/search_files', 360, 6_000, (r) => ({ query: `${r.pick(TABLES)} ${r.pick(REGIONS)}` })),
  tool('gdrive/read_file', 280, 20_000, (r) => ({ file_id: `doc-${r.int(1, 300)}` })),
  tool('gdrive/share_file', 300, 400, (r) => ({
    file_id: `doc-${r.int(1, 300)}`,
    email: `team@${customer(r)}`,
    role: 'reader',
  })),
  tool('salesforce/query_records', 510, 18_000, (r) => ({
    soql: `SELECT Name, Email FROM Contact WHERE Account.Website = '${customer(r)}'`,
  })),
  tool('salesforce/get_account', 240, 3_000, (r) => ({ account: customer(r) })),
  tool('salesforce/update_opportunity', 390, 500, (r) => ({
    opportunity: `OPP-${r.int(100, 999)}`,
    stage: r.pick(['Proposal', 'Negotiation']),
  })),
  tool('stripe/list_invoices', 300, 14_000, (r) => ({ customer: `cus_${r.int(1000, 1400)}`, limit: 20 })),
  tool('stripe/get_customer', 170, 2_200, (r) => ({ customer: `cus_${r.int(1000, 1400)}` })),
  tool('stripe/create_refund', 620, 800, (r) => ({ charge: `ch_${r.hex(14)}`, amount: r.int(500, 9900) })),
  tool('zendesk/search_tickets', 270, 9_000, (r) => ({ query: `status:open ${r.pick(REGIONS)}` })),
  tool('zendesk/get_ticket', 150, 3_500, (r) => ({ ticket_id: r.int(20_000, 29_999) })),
  tool('zendesk/update_ticket', 230, 600, (r) => ({ ticket_id: r.int(20_000, 29_999), status: 'pending' })),
  tool('workday/get_employee', 260, 4_000, (r) => ({ employee_id: `E${r.int(100, 260)}` })),
  tool('workday/list_employees', 420, 15_000, (r) => ({
    department: r.pick(['Sales', 'Engineering', 'Finance']),
  })),
  // Tools that nobody uses until an incident does.
  tool('terraform/destroy', 9_000, 900, () => ({ workspace: 'billing-prod', auto_approve: true })),
  tool('workday/export_payroll', 2_600, 380_000, () => ({ month: '2026-10', format: 'csv' })),
  tool('stripe/create_payout', 700, 600, (r) => ({
    amount: r.int(40_000, 90_000),
    currency: 'usd',
    destination: 'ba_1Nv0',
  })),
  tool('kubernetes/delete_namespace', 1_900, 200, () => ({ namespace: 'observability' })),
  tool('github/add_collaborator', 500, 300, () => ({
    repo: 'acme/billing',
    username: 'octo-temp-77',
    permission: 'admin',
  })),
  tool('vault/write_policy', 140, 120, () => ({ name: 'billing-read', path: 'secret/data/*' })),
  tool('linear/list_issues', 230, 7_000, (r) => ({ team: r.pick(PROJECTS) })),
])

/** @throws RangeError for a tool that the demo does not have: a slip in the demo itself */
export function toolAt(path: string): Tool {
  const found = TOOLS.get(path)
  if (found === undefined) throw new RangeError(`The demo has no tool ${path}.`)
  return found
}
