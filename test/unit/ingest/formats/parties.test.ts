import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { eventsOf, record, run } from '../sample-pipeline.ts'

const reported = (name: string) => readFileSync(new URL(`../cases/${name}`, import.meta.url))
const eventsIn = (value: Uint8Array | string) => eventsOf(run([record(value)]))

describe('CloudTrail: who acted for whom', () => {
  it('people of IAM Identity Center are themselves, also behind a role that they share', () => {
    const events = eventsIn(reported('cloudtrail-identity-center.json'))
    const [a, b] = ['aaaa1111-0000-4000-8000-00000000000a', 'bbbb2222-0000-4000-8000-00000000000b']
    expect(events.map((event) => event['user.id'])).toEqual([a, b, a, b, 'AIDAEXAMPLEEXAMPLE09'])
    expect(events.map((event) => event.actor)).toEqual([a, b, a, b, 'AIDAEXAMPLEEXAMPLE09'])
    expect(events.slice(0, 2).map((event) => event['credential.id'])).toEqual(
      Array(2).fill('c0de0001-0000-4000-8000-000000000001'),
    )
    for (const event of events.slice(2, 4)) {
      expect(event['delegation.type']).toBe('on-behalf-of')
      expect(event['delegation.chain']).toEqual(['arn:aws:iam::111122223333:role/analytics-app'])
    }
    expect(events[0]?.['delegation.chain']).toBeUndefined()
  })

  const role = 'arn:aws:iam::111122223333:role/app'
  const issuer = { type: 'Role', arn: role }
  const call = (userIdentity: object) =>
    eventsIn(
      JSON.stringify({
        eventVersion: '1.11',
        eventID: 'e1',
        eventSource: 's3.amazonaws.com',
        eventName: 'GetObject',
        eventTime: '2026-11-20T09:00:00Z',
        eventType: 'AwsApiCall',
        userIdentity,
      }),
    )[0]

  it('the source identity names the person behind a role', () => {
    const arn = 'arn:aws:sts::111122223333:assumed-role/app/build-77'
    const event = call({
      type: 'AssumedRole',
      arn,
      sessionContext: { sessionIssuer: issuer, sourceIdentity: 'ada@example.com' },
    })
    expect(event).toMatchObject({
      actor: 'ada@example.com',
      'delegation.type': 'assumed-role',
      'delegation.chain': [role],
    })
  })

  it('a role that nobody is named behind stays the user, with nobody in between', () => {
    const event = call({
      type: 'AssumedRole',
      arn: 'arn:aws:sts::111122223333:assumed-role/app/i-0abc',
      sessionContext: { sessionIssuer: issuer },
    })
    expect(event?.actor).toBe(role)
    expect(event?.['delegation.chain']).toBeUndefined()
  })

  it('federated users of one broker are two', () => {
    const broker = 'arn:aws:iam::111122223333:user/broker'
    const events = ['ada', 'bob'].map((name) =>
      call({
        type: 'FederatedUser',
        arn: `arn:aws:sts::111122223333:federated-user/${name}`,
        sessionContext: { sessionIssuer: { type: 'IAMUser', arn: broker } },
      }),
    )
    expect(events.map((event) => event?.actor)).toEqual([
      'arn:aws:sts::111122223333:federated-user/ada',
      'arn:aws:sts::111122223333:federated-user/bob',
    ])
    expect(events[0]).toMatchObject({ 'delegation.type': 'assumed-role', 'delegation.chain': [broker] })
  })

  it('a service in somebody’s name', () => {
    const user = 'arn:aws:iam::111122223333:user/ada'
    const event = call({ type: 'IAMUser', arn: user, invokedBy: 'cloudformation.amazonaws.com' })
    expect(event).toMatchObject({
      actor: user,
      'delegation.type': 'on-behalf-of',
      'delegation.chain': ['cloudformation.amazonaws.com'],
    })
  })
})

describe('LiteLLM: a failed call of MCP without its type (BerriAI/litellm#28928)', () => {
  it('is no call of a model', () => {
    const events = eventsIn(reported('litellm-empty-call-type.ndjson'))
    expect(events[0]).toMatchObject({
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'read_file',
      'mcp.server.name': 'files',
      outcome: 'success',
    })
    expect(events[1]).toMatchObject({
      'mcp.method.name': 'mcp/request',
      'user.id': 'grace.w',
      'error.type': 'HTTPException',
      'http.response.status_code': 404,
      outcome: 'failure',
    })
    expect(events[1]?.['gen_ai.request.model']).toBeUndefined()
  })
})
