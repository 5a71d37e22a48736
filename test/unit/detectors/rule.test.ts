import { describe, expect, it } from 'vitest'
import { detectors } from '../../../detectors/registry.ts'
import { parseRules } from '../../../detectors/rule.ts'

const examples = `examples:
  firing:
    - name: spike
      calls:
        - { actor: ada, days: "0", at: ["09:00"], tool: crm/get }
  quiet:
    - name: nothing
      calls:
        - { actor: ada, days: "0", at: ["09:00"], tool: crm/get }
`

const ruleText = (changes: Record<string, string> = {}): string => {
  const lines = { id: 'my-rule', version: '1', kind: 'volume', title: 'T', description: 'D', ...changes }
  return `${Object.entries(lines)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')}\n${examples}`
}

const errorsOf = (...texts: string[]) =>
  parseRules(
    texts.map((text, index) => ({ path: `rules/${index}.yaml`, text })),
    detectors,
  ).errors.map((error) => error.toLine())

describe('a rule', () => {
  it('is read with its parameters and defaults', () => {
    const { rules, errors } = parseRules(
      [{ path: 'a.yaml', text: ruleText({ where: 'server:crm' }) }],
      detectors,
    )
    expect(errors).toEqual([])
    expect(rules[0]).toMatchObject({ id: 'my-rule', version: 1, kind: 'volume' })
    expect(rules[0]?.where?.sql).toMatch(/\{where0:String\}/)
    expect(rules[0]?.examples.map(({ expected }) => expected)).toEqual(['firing', 'quiet'])
  })

  it.each([
    [ruleText({ id: 'Bad Id' }), /^rules\/0\.yaml:1: id: has characters .* Use a-z/],
    [ruleText({ kind: 'volumes' }), /^rules\/0\.yaml:3: kind: is “volumes”\. Use one of: volume, off-hours/],
    [ruleText({ version: '0' }), /^rules\/0\.yaml:2: version: is 0\. Write a number from 1/],
    [ruleText({ params: '{ score: high }' }), /^rules\/0\.yaml:6: params\.score: is “high”\./],
    [
      ruleText({ params: '{ scores: 3 }' }),
      /params\.scores: is not a known field\. Known here: measure, min_active_days, min_calls/,
    ],
    [ruleText({ where: '"server:("' }), /^rules\/0\.yaml:6: where: .*docs\/filter\.md/],
    [ruleText({ surprise: '1' }), /surprise: is not a known field/],
    [
      ruleText().replace('at: ["09:00"]', 'at: ["9 o’clock"]'),
      /^rules\/0\.yaml:10: examples\.firing\.0\.calls\.0\.at: .*09:30/,
    ],
    [ruleText().replace('  quiet:', '  quit:'), /examples\.quiet: needs a list/],
    ['id: [', /^rules\/0\.yaml:1: rule: is not valid YAML/],
    ['- just a list', /rule: is not a mapping/],
  ])('is refused with file, line, field and remedy: %#', (text, expected) => {
    const [error, ...more] = errorsOf(text)
    expect(error).toMatch(expected)
    expect(more).toEqual([])
  })

  it('tells all of its mistakes at once, each with its line', () => {
    const text = ruleText({
      id: 'Bad Id',
      where: '"server:("',
      params: '{ score: high, scores: 3, min_calls: -1 }',
      surprise: '1',
    }).replace('at: ["09:00"], tool: crm/get', 'at: ["9 o’clock"], tool: get')
    const { errors, faults, rules } = parseRules([{ path: 'a.yaml', text }], detectors)
    expect(rules).toEqual([])
    expect(errors).toEqual(faults.slice(0, 1))
    expect(faults.map(({ place }) => `${place.at} ${place.field}`).sort()).toEqual(
      [
        'a.yaml:13 examples.firing.0.calls.0.at',
        'a.yaml:13 examples.firing.0.calls.0.tool',
        'a.yaml:1 id',
        'a.yaml:6 where',
        'a.yaml:7 params.min_calls',
        'a.yaml:7 params.score',
        'a.yaml:7 params.scores',
        'a.yaml:8 surprise',
      ].sort(),
    )
    for (const { place } of faults) expect(place.remedy).toBeTruthy()
  })

  it('of an unknown kind is not told that its parameters are wrong', () => {
    const { faults } = parseRules(
      [{ path: 'a.yaml', text: ruleText({ kind: 'volumes', params: '{ score: 3 }' }) }],
      detectors,
    )
    expect(faults.map(({ place }) => place.field)).toEqual(['kind'])
  })

  it('that is wrong harms no other', () => {
    const { rules, errors } = parseRules(
      [
        { path: 'bad.yaml', text: 'id: 3' },
        { path: 'good.yaml', text: ruleText() },
      ],
      detectors,
    )
    expect(rules.map(({ id }) => id)).toEqual(['my-rule'])
    expect(errors).toHaveLength(1)
    expect(errors[0]?.code).toBe('rule_invalid')
  })

  it('must have an id of its own', () => {
    expect(errorsOf(ruleText(), ruleText())).toEqual([
      expect.stringMatching(/rules\/1\.yaml:\d+: id: has the id .*0\.yaml/),
    ])
  })

  it('has another hash when anything that decides changes', () => {
    const hashes = [
      ruleText(),
      ruleText({ version: '2' }),
      ruleText({ params: '{ score: 4 }' }),
      ruleText({ where: 'server:crm' }),
      ruleText({ severity: 'high' }),
    ].map((text) => parseRules([{ path: 'a.yaml', text }], detectors).rules[0]?.hash)
    expect(new Set(hashes).size).toBe(hashes.length)
    const again = parseRules([{ path: 'b.yaml', text: ruleText({ title: 'Other' }) }], detectors).rules[0]
      ?.hash
    expect(again).toBe(hashes[0])
  })
})
