/** A record of a format with a text of somebody’s in it. */
export interface Place {
  readonly name: string
  make(text: string): string
}

const CALL = {
  event_id: 'hostile',
  occurred_at: '2026-11-01T12:00:00Z',
  'user.email': 'bob@acme.example',
  'mcp.server.name': 'files',
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': 'read_file',
  outcome: 'success',
}
const native = (fields: object): string => JSON.stringify({ ...CALL, ...fields })
const args = (value: unknown): string => native({ 'gen_ai.tool.call.arguments': JSON.stringify(value) })

const attribute = (key: string, text: string): object => ({ key, value: { stringValue: text } })

/** Where an agent, a tool or a server can put a text of its own: one place of each kind, in records of several formats. */
export const PLACES: readonly Place[] = [
  { name: 'arguments', make: (text) => native({ 'gen_ai.tool.call.arguments': text }) },
  { name: 'one argument', make: (text) => args({ query: text }) },
  { name: 'the name of an argument', make: (text) => args({ [text]: 1 }) },
  {
    name: 'a list of arguments',
    make: (text) => args([text.slice(0, text.length / 2), text.slice(text.length / 2)]),
  },
  { name: 'JSON in an argument', make: (text) => args({ body: JSON.stringify({ content: text }) }) },
  { name: 'a command and an address', make: (text) => args({ command: text, url: text }) },
  { name: 'the result', make: (text) => native({ 'gen_ai.tool.call.result': text }) },
  { name: 'the error', make: (text) => native({ 'error.message': text }) },
  { name: 'the resource', make: (text) => native({ 'mcp.resource.uri': text }) },
  { name: 'the tool', make: (text) => native({ 'gen_ai.tool.name': text }) },
  { name: 'a record that is none', make: (text) => `x ${text.replace(/[\n\r]/g, ' ')}` },
  {
    name: 'a record that breaks off',
    make: (text) => native({ 'gen_ai.tool.call.arguments': text }).slice(0, -9),
  },
  {
    name: 'a span',
    make: (text) =>
      JSON.stringify({
        resourceSpans: [
          {
            resource: { attributes: [attribute('service.name', 'gateway')] },
            scopeSpans: [
              {
                scope: { name: 's' },
                spans: [
                  {
                    traceId: '0af7651916cd43dd8448eb211c80319c',
                    spanId: 'b7ad6b7169203331',
                    name: 'tools/call read_file',
                    startTimeUnixNano: '1793534400000000000',
                    endTimeUnixNano: '1793534400100000000',
                    attributes: [
                      attribute('mcp.method.name', 'tools/call'),
                      attribute('gen_ai.tool.name', 'read_file'),
                      attribute('gen_ai.tool.call.arguments', text),
                      attribute('metadata.requester_metadata', `{'a': '${text}'`),
                    ],
                  },
                ],
              },
            ],
          },
        ],
      }),
  },
]
