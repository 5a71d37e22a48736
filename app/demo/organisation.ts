import type { Country } from './calendar.ts'

/** A piece of work: tools in order, each called between `min` and `max` times. */
export interface Task {
  readonly weight: number
  readonly steps: readonly (readonly [tool: string, min: number, max: number])[]
}

interface Caller {
  readonly name: string
  readonly tasks: readonly Task[]
  /** The gateway that reports this caller’s calls, and with it the format of the records. */
  readonly gateway: 'mesh' | 'edge' | 'legacy'
  readonly client: readonly [name: string, version: string]
  readonly address: string
}

export interface Person extends Caller {
  readonly kind: 'person'
  readonly email: string
  readonly zone: string
  readonly country: Country
  /** Local working hours. */
  readonly hours: readonly [from: number, to: number]
  /** Tasks begun in a working hour, on average. */
  readonly tasksPerHour: number
  /** Local hours of Saturday’s and Sunday’s on-call work, where the person is on call. */
  readonly onCall?: readonly [from: number, to: number]
  /** Days before the end of the history on which a new hire began. */
  readonly hiredDaysAgo?: number
}

export interface Agent extends Caller {
  readonly kind: 'agent'
  readonly id: string
  /** Runs an hour, evenly spread; at night `nightShare` of that, at weekends four fifths unless `everyDay`. */
  readonly runsPerHour: number
  readonly nightShare: number
  readonly everyDay?: boolean
}

export type Principal = Person | Agent

const task = (weight: number, ...steps: Task['steps']): Task => ({ weight, steps })

const REVIEW = task(
  3,
  ['github/list_pull_requests', 1, 1],
  ['github/get_pull_request', 1, 2],
  ['github/get_file_contents', 1, 4],
  ['github/create_pull_request_review', 1, 1],
)
const CODE = task(
  3,
  ['jira/get_issue', 1, 1],
  ['github/search_code', 1, 2],
  ['github/get_file_contents', 1, 4],
  ['github/create_pull_request', 1, 1],
)
const STANDUP = task(2, ['jira/search_issues', 1, 1], ['jira/get_issue', 1, 2], ['slack/post_message', 1, 1])
const DEBUG = task(
  2,
  ['sentry/list_issues', 1, 1],
  ['sentry/get_issue', 1, 2],
  ['postgres/query', 1, 2],
  ['jira/add_comment', 1, 1],
)
const OPERATE = task(
  3,
  ['kubernetes/list_pods', 1, 2],
  ['kubernetes/get_pod_logs', 1, 3],
  ['slack/post_message', 0, 1],
)
const ROLL_OUT = task(
  2,
  ['terraform/plan', 1, 1],
  ['vault/read_secret', 1, 1],
  ['kubernetes/apply_manifest', 1, 2],
)
const SCHEMA = task(2, ['postgres/list_tables', 1, 1], ['postgres/query', 1, 3])
const ANALYSE = task(
  3,
  ['snowflake/describe_table', 1, 1],
  ['snowflake/run_query', 1, 4],
  ['gdrive/search_files', 0, 1],
)
const REPORT = task(
  2,
  ['snowflake/run_query', 1, 2],
  ['confluence/update_page', 1, 1],
  ['slack/post_message', 1, 1],
)
const SELL = task(
  3,
  ['salesforce/get_account', 1, 2],
  ['salesforce/query_records', 1, 2],
  ['gmail/send_email', 1, 1],
)
const PIPELINE = task(2, ['salesforce/query_records', 1, 2], ['salesforce/update_opportunity', 1, 2])
const PROPOSE = task(
  2,
  ['gdrive/search_files', 1, 1],
  ['gdrive/read_file', 1, 2],
  ['gdrive/share_file', 1, 1],
)
const SUPPORT = task(
  4,
  ['zendesk/search_tickets', 1, 1],
  ['zendesk/get_ticket', 1, 3],
  ['stripe/get_customer', 0, 1],
  ['zendesk/update_ticket', 1, 1],
)
const REFUND = task(
  2,
  ['zendesk/get_ticket', 1, 1],
  ['stripe/list_invoices', 1, 1],
  ['stripe/create_refund', 1, 1],
)
const BOOKS = task(3, ['stripe/list_invoices', 1, 3], ['gdrive/read_file', 1, 1], ['gmail/send_email', 0, 1])
const PEOPLE = task(
  3,
  ['workday/list_employees', 1, 1],
  ['workday/get_employee', 1, 3],
  ['gdrive/read_file', 0, 1],
)
const LETTER = task(
  2,
  ['gdrive/search_files', 1, 1],
  ['gdrive/read_file', 1, 1],
  ['slack/post_message', 1, 1],
)
const RESEARCH = task(
  3,
  ['fetch/fetch', 1, 4],
  ['confluence/search_pages', 0, 1],
  ['confluence/update_page', 1, 1],
)
const READ_UP = task(
  2,
  ['confluence/search_pages', 1, 1],
  ['confluence/get_page', 1, 2],
  ['slack/search_messages', 1, 1],
)

const ENGINEER = [REVIEW, CODE, STANDUP, DEBUG]
const OPERATOR = [OPERATE, ROLL_OUT, STANDUP, DEBUG]
const ANALYST = [ANALYSE, REPORT, SCHEMA, READ_UP]
const SALES = [SELL, PIPELINE, PROPOSE]
const SUPPORTER = [SUPPORT, REFUND, READ_UP]
const FINANCE = [BOOKS, ANALYSE, LETTER]
const HUMAN_RESOURCES = [PEOPLE, LETTER]
const MARKETING = [RESEARCH, READ_UP, PROPOSE]

const PLACES: Readonly<Record<string, readonly [zone: string, country: Country]>> = {
  sf: ['America/Los_Angeles', 'US'],
  ny: ['America/New_York', 'US'],
  london: ['Europe/London', 'GB'],
  berlin: ['Europe/Berlin', 'DE'],
  pune: ['Asia/Kolkata', 'IN'],
  singapore: ['Asia/Singapore', 'SG'],
  sydney: ['Australia/Sydney', 'AU'],
}

let lastHost = 20
function person(
  name: string,
  place: string,
  tasks: readonly Task[],
  tasksPerHour: number,
  more: Partial<Pick<Person, 'onCall' | 'hiredDaysAgo' | 'hours' | 'gateway'>> = {},
): Person {
  const [zone, country] = PLACES[place] ?? ['UTC', 'US']
  lastHost += 1
  return {
    kind: 'person',
    name,
    email: `${name.toLowerCase().replace(' ', '.')}@acme.example`,
    zone,
    country,
    tasks,
    tasksPerHour,
    hours: [9, 17.5],
    gateway: 'mesh',
    client: tasks === ENGINEER || tasks === OPERATOR ? ['claude-code', '2.4.1'] : ['claude-desktop', '1.9.0'],
    address: `10.20.${country.charCodeAt(0)}.${lastHost}`,
    ...more,
  }
}

function agent(
  id: string,
  tasks: readonly Task[],
  runsPerHour: number,
  nightShare: number,
  gateway: Agent['gateway'] = 'mesh',
): Agent {
  lastHost += 1
  return {
    kind: 'agent',
    id,
    name: id.replaceAll('-', ' '),
    tasks,
    runsPerHour,
    nightShare,
    gateway,
    // A gateway that knows no callers names them by their program.
    client: gateway === 'legacy' ? [id, '3.2.0'] : ['agent-runtime', '0.31.2'],
    address: `10.30.0.${lastHost}`,
  }
}

/** The people of Acme, a shop with offices in seven cities. */
export const people: readonly Person[] = [
  person('Alice Moreno', 'sf', ENGINEER, 1.3, { gateway: 'edge' }),
  person('Ben Okafor', 'sf', ENGINEER, 1.1, { gateway: 'edge' }),
  person('Carol Jensen', 'ny', SALES, 1.2),
  person('Daniel Weiss', 'berlin', ENGINEER, 1.2),
  person('Elena Petrova', 'berlin', ANALYST, 1.1),
  person('Farid Haddad', 'london', SALES, 1.0),
  person('Grace Liu', 'singapore', ENGINEER, 1.2),
  person('Hannah Schmidt', 'berlin', HUMAN_RESOURCES, 0.8, { hours: [10, 17] }),
  person('Ishaan Rao', 'pune', ENGINEER, 1.4, { gateway: 'edge' }),
  person('Julia Novak', 'london', FINANCE, 0.9),
  person('Kofi Mensah', 'ny', OPERATOR, 1.1, { onCall: [10, 16] }),
  person('Lena Fischer', 'berlin', OPERATOR, 1.2, { onCall: [9, 15], hours: [8, 16.5] }),
  person('Maya Singh', 'pune', SUPPORTER, 1.3),
  person('Noah Brooks', 'sf', ANALYST, 1.0),
  person('Olivia Grant', 'sydney', SUPPORTER, 1.2),
  person('Priya Nair', 'pune', ENGINEER, 1.1),
  person('Quentin Leroy', 'london', MARKETING, 0.9),
  person('Rosa Delgado', 'ny', FINANCE, 0.8),
  person('Sam Whitfield', 'sydney', ENGINEER, 1.0),
  person('Tara Quinn', 'ny', SUPPORTER, 1.2),
  person('Umar Aziz', 'singapore', SALES, 0.9),
  person('Vera Lindqvist', 'berlin', MARKETING, 0.8),
  person('Will Tanaka', 'sf', ENGINEER, 1.1, { hiredDaysAgo: 12 }),
]

/** Agents that act on their own, round the clock. */
export const agents: readonly Agent[] = [
  agent('support-triage-agent', [SUPPORT, READ_UP], 6, 0.6),
  agent(
    'invoice-agent',
    [
      BOOKS,
      task(2, ['gmail/search_messages', 1, 1], ['gmail/read_message', 1, 2], ['stripe/list_invoices', 1, 1]),
    ],
    5,
    0.7,
  ),
  agent(
    'release-notes-agent',
    [
      task(
        1,
        ['github/list_pull_requests', 1, 2],
        ['github/get_pull_request', 2, 4],
        ['confluence/update_page', 1, 1],
      ),
    ],
    4,
    1,
  ),
  agent(
    'market-research-agent',
    [
      task(3, ['fetch/fetch', 2, 5], ['filesystem/write_file', 1, 1]),
      task(1, ['fetch/fetch', 1, 2], ['salesforce/query_records', 1, 1], ['gmail/send_email', 1, 1]),
    ],
    5,
    0.8,
  ),
  agent(
    'incident-watch-agent',
    [OPERATE, task(2, ['sentry/list_issues', 1, 2], ['sentry/get_issue', 1, 2])],
    7,
    1,
  ),
  agent(
    'data-quality-agent',
    [SCHEMA, task(2, ['snowflake/describe_table', 1, 2], ['snowflake/run_query', 1, 3])],
    5,
    1,
  ),
  agent(
    'deploy-agent',
    [ROLL_OUT, task(2, ['kubernetes/list_pods', 1, 1], ['kubernetes/get_pod_logs', 1, 2])],
    4,
    0.8,
  ),
  agent(
    'crm-sync-agent',
    [
      task(
        1,
        ['salesforce/query_records', 2, 3],
        ['postgres/query', 1, 2],
        ['salesforce/update_opportunity', 1, 2],
      ),
    ],
    7,
    1,
  ),
  agent(
    'report-agent',
    [
      task(
        1,
        ['filesystem/list_directory', 1, 1],
        ['filesystem/read_file', 1, 3],
        ['filesystem/write_file', 1, 1],
        ['slack/post_message', 1, 1],
      ),
    ],
    5,
    1,
    'edge',
  ),
  agent(
    'build-runner',
    [task(1, ['github/get_file_contents', 2, 5], ['github/search_code', 0, 1])],
    5,
    0.9,
    'legacy',
  ),
  // Whenever somebody looks, something has just happened: one call in every half minute.
  {
    ...agent(
      'health-check-agent',
      [task(1, ['kubernetes/list_pods', 1, 1]), task(1, ['sentry/list_issues', 1, 1])],
      120,
      1,
    ),
    everyDay: true,
  },
]

export const principals: readonly Principal[] = [...people, ...agents]

/** What gatewatch will name as the accountable actor. */
export const actorOf = (principal: Principal): string =>
  principal.kind === 'person'
    ? principal.email
    : principal.gateway === 'legacy'
      ? principal.address
      : principal.id

/** @throws RangeError when nobody has the name or id: a slip in the demo itself */
export function principalNamed(name: string): Principal {
  const found = principals.find((each) => (each.kind === 'agent' ? each.id : each.name) === name)
  if (found === undefined) throw new RangeError(`Nobody in the demo is called ${name}.`)
  return found
}

/** Tools that everybody at the office got on one day: days before the end of the history, and the new task. */
export const TOOL_ROLL_OUT = {
  daysAgo: 9,
  task: task(2, ['linear/list_issues', 1, 2], ['slack/post_message', 0, 1]),
  /** Whose work it is. */
  reaches: (principal: Principal): boolean =>
    principal.kind === 'person' &&
    (principal.tasks === ENGINEER || principal.tasks === OPERATOR || principal.tasks === ANALYST),
} as const
