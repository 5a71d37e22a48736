import { describe, expect, it } from 'vitest'
import { loadToolCatalogue } from '../../../app/wire/pipeline.ts'
import { describeArguments } from '../../../ingest/describe-arguments.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import { redactRecord } from '../../../ingest/redact/redact-record.ts'
import { createRedactor } from '../../../ingest/redact/redactor.ts'
import { SECRET_PATTERNS } from '../../../ingest/redact/secret-patterns.ts'
import { cpuMsOf } from '../../helpers/cpu-time.ts'

const redactor = createRedactor({ id: 'k1', secret: new Uint8Array(32).fill(7) })
const SECRET = 'correct horse, battery'
const clean = (text: string) => describeArguments(text, 'acme', redactor).text ?? ''

describe('everything', () => {
  it.each([
    'password=',
    'password="',
    '{"password":"',
    'password: {[',
    '--password ',
    '://a:',
    '://a:b@',
    '%41%70',
    'QUFBQUFB',
    'cGFzc3dvcmQ9',
    'mysql -u ',
    'curl -u a:',
    'Cookie: a="',
    '4111 ',
    'DE89 ',
    'a@b.',
    '\\\\"password\\\\":',
    '"name":"password",',
    'Authorization: Digest a="',
    'token,',
    '\\u0070',
    '\u0012\n\u007f',
    '\u0012ÿÿ',
    '<password>',
    '<password ',
    '<key name="',
    '<key>token</key>',
    '&lt;password&gt;',
    '<token><![CDATA[',
    "PASSWORD '",
    "PASSWORD ''",
    'CREATE USER a IDENTIFIED BY ',
    "SET PASSWORD FOR a='",
    'INSERT INTO a(password)VALUES(',
    "insert into a (token) values ('",
    "('password', ",
    "(('token', '",
    'machine a login b ',
    '*:*:a:a:',
    'a:5432:',
    'password:\n',
    '**token:**\n`',
  ])('takes its time in proportion to the text: %s', (piece) => {
    const value = Buffer.from(piece.repeat(200_000 / piece.length))
    expect(cpuMsOf(() => redactRecord(value, 'acme', redactor))).toBeLessThan(10_000)
  })
})

describe('every pattern', () => {
  // A pattern that starts again at each repetition and reads to the end takes minutes for this, not milliseconds.
  it.each(SECRET_PATTERNS)('$id takes its time in proportion to the text', ({ keywords, expression }) => {
    for (const keyword of keywords) {
      for (const piece of [
        `${keyword}aaaaaaaa-`,
        `eyJaaaaaaaa${keyword}-`,
        `-${keyword}=a"`,
        `://${keyword}:`,
      ]) {
        const text = piece.repeat(200_000 / piece.length)
        expect(cpuMsOf(() => text.replace(expression, ''))).toBeLessThan(10_000)
      }
    }
  })
})

describe('the work on a record', () => {
  const pipeline = createPipeline({
    catalogue: loadToolCatalogue(),
    redactionKey: { id: 'k1', secret: new Uint8Array(32).fill(7) },
    clock: { now: () => Date.UTC(2026, 10, 1) },
  })
  const take = (value: unknown) =>
    pipeline([
      {
        value: Buffer.from(JSON.stringify(value)),
        ...{ headers: {}, timestampMs: Date.UTC(2026, 10, 1), timestampSource: 'received' },
        ...{ tenant: 'acme', topic: 'http', partition: 0, offset: 0 },
      },
    ])
  const call = { 'user.email': 'bob@acme.example', 'mcp.server.name': 's', 'gen_ai.tool.name': 't' }
  const dear = 'pw=abcd '.repeat(16_384)

  it('has a bound for each text: one that asks for more is hidden whole, and the call stays', () => {
    const calls = Array.from({ length: 3 }, () => ({ ...call, 'gen_ai.tool.call.arguments': dear }))
    const { events, deadLetters } = take(calls)
    expect(deadLetters).toEqual([])
    expect(events.map((event) => event['gen_ai.tool.call.arguments'])).toEqual(
      Array.from({ length: 3 }, () => expect.stringMatching(/^hmac:k1:[\w-]{22}$/)),
    )
  })

  it('has a bound for the record: names that ask for more make it a dead letter, in which no secret is', () => {
    const names = [
      'user.id',
      'gateway.id',
      'gen_ai.agent.id',
      'mcp.client.name',
      'credential.id',
      'server.address',
    ]
    const dearName = dear.slice(0, 16_000)
    const calls = Array.from({ length: 40 }, () => ({
      ...call,
      ...Object.fromEntries(names.map((name) => [name, dearName])),
    }))
    const { events, deadLetters } = take({ ...calls[0], other: calls })
    expect([events.length, deadLetters.length]).toEqual([1, 0])
    const whole = take(calls)
    expect(whole.events).toEqual([])
    expect(whole.deadLetters.map(({ reason }) => reason)).toEqual(['record_too_costly'])
    expect(whole.deadLetters[0]?.record).not.toContain('abcd')
  })
})

describe('secrets in shapes that were once missed', () => {
  it.each([
    ['the first of two equal keys', '{"note":"AKIAABCDEFGHIJKLMNO7","note":"ok"}', 'AKIAABCDEFGHIJKLMNO7'],
    [
      'an escape in the first of two equal keys',
      '{"note":"\\u0041KIAABCDEFGHIJKLMNO7","note":"ok"}',
      'KIAABCDEFGHIJKLMNO7',
    ],
    ['a password before its null', `{"password":"${SECRET}","password":null}`, SECRET],
    [
      'JSON inside JSON with two equal keys',
      JSON.stringify({ body: '{"note":"AKIAABCDEFGHIJKLMNO7","note":"ok"}' }),
      'AKIAABCDEFGHIJKLMNO7',
    ],
    ['a header beside its name', `{"headers":[{"name":"X-Api-Key","value":"${SECRET}"}]}`, SECRET],
    [
      'an OTLP attribute',
      `{"attributes":[{"key":"db.password","value":{"stringValue":"${SECRET}"}}]}`,
      SECRET,
    ],
  ])('%s', (_, text, secret) => {
    expect(clean(text)).not.toContain(secret)
  })

  it.each([
    ['quoted, in broken JSON', `{"password":"${SECRET}"`],
    ['quoted, in a text', `password: "${SECRET}"`],
    ['quoted and escaped', `{\\"password\\":\\"${SECRET}\\"}`],
    ['behind a prefix', 'PGPASSWORD=hunter2hunter2'],
  ])('%s', (_, text) => {
    expect(redactor.text(text, 'acme')).not.toMatch(/horse|battery|hunter2/)
  })

  it('keeps numbers that JSON cannot hold when nothing is wrong', () => {
    expect(clean('{"id":9007199254740993}')).toBe('{"id":9007199254740993}')
  })
})

// Made up, of no known kind: only its name or its place says that it is one.
const S = 'Zq7-lorem-4Xw'
const noSecret = (clean: string) => {
  expect(clean).not.toContain(S)
  expect(clean).toMatch(/hmac:k1:[\w-]{22}/)
}
const again = (value: string) => expect(redactor.text(value, 'acme')).toBe(value)

describe('names, in arguments', () => {
  it.each(
    (
      'db_pass mysql_pwd passwords tokens secrets api_keys SecretString secret_value password1 private_key_pem ssh_key ' +
      'auth_header credentials_json pat seed_phrase session_cookie Cookie x-api-key'
    ).split(' '),
  )('%s', (name) => {
    noSecret(clean(JSON.stringify({ [name]: S })))
    noSecret(clean(JSON.stringify({ deep: [{ [name]: [S, { x: S }] }] })))
    noSecret(redactor.text(`${name}: ${S}`, 'acme'))
    noSecret(redactor.text(`${name}=${S}&x=1`, 'acme'))
    noSecret(redactor.text(`{"${name}": "${S}`, 'acme'))
  })
})

describe('pairs, in arguments', () => {
  it.each([
    ['a pair', ['X-Api-Key', S]],
    ['a pair with a list', ['tokens', [S]]],
    ['raw headers', ['Accept', '*/*', 'X-Api-Key', S, 'Host', 'h']],
    ['arguments of a program', ['login', '--password', S, '--verbose']],
    ['one argument', ['login', `--password=${S}`]],
    ['user and password', ['curl', '-u', `bob:${S}`]],
    ['mysql', ['mysql', '-u', 'root', `-p${S}`]],
    ['a header as one item', ['-H', `X-Api-Key: ${S}`]],
    ['a header beside its name', [{ header: 'X-Api-Key', value: S }]],
    ['a field of a page', { element: 'Password input', ref: 'e12', text: S }],
  ])('%s', (_, value) => {
    noSecret(clean(JSON.stringify({ items: value })))
    noSecret(clean(JSON.stringify(value)))
  })

  it('nothing else of a list is touched', () => {
    const plain = {
      columns: ['name', 'password', 'email'],
      argv: ['docker', 'run', '-u', '1000:1000', '-p', '80:80'],
    }
    expect(redactor.json(plain, 'acme')).toEqual(plain)
  })
})

describe('places, in text', () => {
  it.each([
    ['a flag', `psql-tool --password ${S} --host db`],
    ['a flag with quotes', `tool --api-key "${S}"`],
    ['a flag with =', `tool --password=${S}`],
    ['PowerShell', `Connect-It -Password ${S}`],
    ['curl', `curl -u bob:${S} https://h/`],
    ['mysql', `mysql -h db -u root -p${S} shop`],
    ['sshpass', `sshpass -p ${S} ssh bob@h`],
    ['redis', `redis-cli -h cache -a ${S} ping`],
    ['openssl', `openssl rsa -passin pass:${S}`],
    ['a header', `GET / HTTP/1.1\r\nX-Api-Key: ${S}\r\nHost: h`],
    ['a header in quotes', `curl -H "X-Api-Key: ${S}" https://h`],
    ['Basic', `Authorization: Basic ${S}`],
    ['no scheme', `Authorization: ${S}`],
    ['a short Bearer token', 'Authorization: Bearer Zq7-lorem-4Xw'],
    ['a cookie', `Cookie: theme=dark; sid=${S}; x=${S}`],
    ['a cookie in quotes', `Cookie: a="${S}"; b=2`],
    ['Digest', `Authorization: Digest username="bob", response="${S}"`],
    ['a query', `https://h/x?api_key=${S}&page=2&access_token=${S}`],
    ['YAML', `db:\n  password:\n    ${S}\n  host: h`],
    ['a YAML block', `private_key: |\n  ${S}\n  ${S}\nname: x`],
    ['words', `the api key: ${S}`],
    ['a connection string', `Server=h;Uid=bob;Pwd=${S};Database=x`],
    ['backticks', `token = \`${S}\``],
    ['a subscript', `headers['X-Api-Key'] = '${S}'`],
    ['Ruby', `:password => "${S}"`],
    ['a labelled value in broken JSON', `[{"name": "X-Api-Key", "value": "${S}"`],
    ['an attribute of OTLP in broken JSON', `{"key":"db.password","value":{"stringValue":"${S}"`],
    ['a pair in broken JSON', `[["X-Api-Key", "${S}"`],
    ['a list in broken JSON', `{"tokens": ["${S}", "${S}"`],
    ['an environment', `export GITHUB_PAT=${S} && run`],
  ])('%s', (_, value) => {
    const found = redactor.text(value, 'acme')
    noSecret(found)
    again(found)
    noSecret(clean(JSON.stringify({ command: value })))
  })

  it('keeps what is around the secret', () => {
    expect(redactor.text(`Cookie: theme=dark; sid=${S}; Path=/`, 'a')).toMatch(
      /^Cookie: theme=hmac:\S{25}; sid=hmac:\S{25}; Path=\/$/,
    )
    expect(redactor.text(`Authorization: Bearer ${S} was refused`, 'a')).toMatch(
      /^Authorization: Bearer hmac:\S{25} was refused$/,
    )
    expect(redactor.text(`https://h/x?api_key=${S}&page=2`, 'a')).toMatch(
      /^https:\/\/h\/x\?api_key=hmac:\S{25}&page=2$/,
    )
    expect(redactor.text(`f(password=${S}, user=bob)`, 'a')).toMatch(/^f\(password=hmac:\S{25}, user=bob\)$/)
  })

  it.each([
    `password: $${'{DB_PASSWORD}'}`,
    'token = os.environ["GITHUB_TOKEN"]',
    'login(password=password)',
    'secret: {{ vault.secret }}',
    'Invalid token: expired',
    'token: null, password: ****',
    'docker run -u 1000:1000 image',
    'sort -u names; cp -p a b',
    'https://example.com:8080/a?email=bob@example.com',
    'http://10.0.0.1:80/@scope/package',
    'ssh://git@github.com/acme/x.git',
    'git clone https://github.com/acme/x.git',
    'the basic understanding of tokens: they are counted',
    'a key: value store, the primary key: id',
  ])('leaves %s', (value) => {
    again(value)
  })
})

describe('JSON in odd clothes', () => {
  const inner = JSON.stringify({ note: { password: S } })
  it.each([
    ['white space before it', `\n\t ${inner}`],
    ['a byte order mark', `\ufeff${inner}`],
    ['as a text in quotes', JSON.stringify(inner)],
    ['three times over', JSON.stringify(JSON.stringify(inner))],
    ['inside a sentence', `the settings are ${inner}, as agreed`],
    ['inside JSON inside a sentence', `the settings are ${JSON.stringify({ body: inner })}, as agreed`],
    ['cut', inner.slice(0, -2)],
    ['escaped and cut', JSON.stringify(inner).slice(1, -4)],
    ['escaped twice and cut', JSON.stringify(JSON.stringify(inner)).slice(1, -8)],
    ['with single quotes', `{'password': '${S}'}`],
    ['with escapes in the name', `{"\\u0070assword":"${S}"}`],
  ])('%s', (_, value) => {
    noSecret(clean(JSON.stringify({ body: value })))
    noSecret(clean(value))
    noSecret(redactRecord(Buffer.from(value), 'acme', redactor).record)
  })

  it('cut in the middle of an escape in the name', () => {
    noSecret(redactRecord(Buffer.from(`{"\\u0070ass\\u0077ord":"${S}", "x`), 'acme', redactor).record)
  })
})

describe('what stands before the host of a URL', () => {
  it.each([
    ['a slash in the password', `postgres://svc:${S}/x@db.internal:5432/orders`],
    ['an @ in the password', `postgres://svc:p@${S}@db.internal/orders`],
    ['both', `postgres://svc:a@${S}/b@db.internal/orders`],
    ['a # and a ?', `https://bob:x#${S}?@h.example/`],
    ['a token for the user', `https://${S}@h.example/x`],
    ['a token for the user, and a word for the password', `https://${S}:x-oauth-basic@h.example/x`],
    ['a token for the user, and no password', `https://${S}:@h.example/x`],
    ['a number for the password', `redis://svc:1234567/${S}@cache:6379/0`],
    ['in an URL in an URL', `https://proxy/?u=https://bob:${S}@h.example/`],
  ])('%s', (_, value) => {
    const found = redactor.text(value, 'acme')
    noSecret(found)
    again(found)
    expect(found).toMatch(/@(?:db\.internal|h\.example|cache)/)
  })
})

describe('encoded', () => {
  const base64 = (value: string) => Buffer.from(value).toString('base64')
  it.each([
    ['percent', `https://h/x?q=${encodeURIComponent(`password=${S}&x`)}`],
    ['percent twice', encodeURIComponent(encodeURIComponent(`{"password":"${S}"}`))],
    ['base64 of JSON', base64(JSON.stringify({ password: S }))],
    ['base64 of a setting', `data: ${base64(`DB_PASSWORD=${S}\n`)}`],
    ['base64 of base64', base64(base64(JSON.stringify({ password: S })))],
  ])('%s', (_, value) => {
    const found = redactor.text(value, 'acme')
    expect(found).toMatch(/hmac:k1:[\w-]{22}/)
    expect(found).not.toContain(value.slice(-24))
    again(found)
  })

  it.each([
    'https://example.com/a%20b?q=caf%C3%A9%2Fx',
    `${base64('nothing to see in this text, move along')}`,
    '9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c9f8a7b6c',
    '100% of %d%s',
  ])('leaves %s', (value) => {
    again(value)
  })
})

it('protobuf that cannot be read: the value that follows the name of a secret', () => {
  const value = Buffer.concat([Buffer.from([0x0a, S.length]), Buffer.from(S)])
  const attribute = Buffer.concat([
    Buffer.from([0xff, 0x0a, 11]),
    Buffer.from('db.password'),
    Buffer.from([0x12, value.length]),
    value,
    Buffer.from([0x0a, 4]),
    Buffer.from('rest'),
  ])
  const kept = redactRecord(attribute, 'acme', redactor)
  const bytes = Buffer.from(kept.record, 'base64').toString('latin1')
  noSecret(bytes)
  expect(bytes).toContain('rest')
})

it('a key in lower case, as sources and formats write names and ids', () => {
  const issued = ['AIza', 'aB3'.repeat(11), 'xY'].join('')
  expect(redactor.name(issued.toLowerCase(), 'acme')).toMatch(/^hmac:k1:/)
  expect(redactor.name(['AKIA', 'Q7'.repeat(8)].join('').toLowerCase(), 'acme')).toMatch(/^hmac:k1:/)
})

describe('what a second attack found', () => {
  const SECRET = 'Zq7hunter2Zq7'
  it.each([
    [`Authorization: Splunk ${SECRET}`],
    [`UPDATE u SET pw = md5('${SECRET}')`],
    [`{'password': b'${SECRET}'}`],
    [`{u'password': u'${SECRET}'}`],
    [`password=SecretStr('${SECRET}')`],
  ])('is hidden in text: %s', (text) => {
    expect(redactor.text(text, 'acme')).not.toContain(SECRET)
  })

  it('is hidden beside a label, however it is capitalised, also in JSON that stands in a text', () => {
    const labelled = { env: [{ Name: 'DB_PASSWORD', Value: SECRET }] }
    expect(JSON.stringify(redactor.json(labelled, 'acme'))).not.toContain(SECRET)
    const message = JSON.stringify({ name: 'X-Api-Key', values: [SECRET] })
    expect(redactor.jsonText(message, 'acme')).not.toContain(SECRET)
  })

  it('is hidden in the address of a bot', () => {
    const token = `123456789:AA${'h'.repeat(33)}`
    expect(redactor.text(`https://api.telegram.org/bot${token}/send`, 'acme')).not.toContain(token)
  })

  it('is hidden when a private key comes line by line', () => {
    const line = 'MIIEpAIBAAKCAQEA7bq0Zq7hunter2Zq7sV1n5wJrC2k9QmX4tYpLdE8fGhUiOaB'
    expect(redactRecord(Buffer.from(line), 'acme', redactor).record).not.toContain('hunter2')
  })

  it('leaves sentences and code alone', () => {
    for (const text of ['see the function token(name)', 'author: B. Smith'])
      expect(redactor.text(text, 'acme')).toBe(text)
  })
})

// Each shape with a twin that has the same words and no secret.
describe('shapes of other languages and files', () => {
  const W = 'Zq7 lorem four words'
  const noTrace = (shape: string, clean: string) => {
    expect(clean, shape).not.toMatch(/lorem/)
    expect(clean, shape).toMatch(/hmac:k1:[\w-]{22}/)
  }

  it.each([
    ['form', `user=bob&password=Zq7+lorem+four+words&x=1`, `password=&user=bob+the+builder&x=1`],
    ['form, percent too', `client_secret=Zq7+lorem%26four%3D1&x=1`, `page_token=Zq7+lorem%26four&x=1`],
    ['XML element', `<password>${S}</password>`, '<password></password><passwords/>'],
    [
      'XML element with words',
      `<db><password>${W}</password></db>`,
      '<db><password>Password</password></db>',
    ],
    [
      'XML element with attributes',
      `<password enc="plain">${S}</password>`,
      '<key id="4">Paris in spring</key>',
    ],
    [
      'XML with a namespace',
      `<w:Password Type="x#Text">${W}</w:Password>`,
      '<w:Title Type="x#Text">a b</w:Title>',
    ],
    ['XML over lines', `<password>\n  ${S}\n</password>`, '<password>\n  <rule min="12"/>\n</password>'],
    ['XML CDATA', `<password><![CDATA[${W}]]></password>`, '<note><![CDATA[the password is long]]></note>'],
    ['XML attribute', `<user password="${W}"/>`, '<user password=""/>'],
    ['XML key and value', `<add key="ApiKey" value="${S}"/>`, `<add key="Region" value="${S}"/>`],
    ['XML value and key', `<add value='${W}' key='ApiKey'/>`, `<add value='${W}' key='Theme'/>`],
    [
      'XML property',
      `<property name="db.password">${W}</property>`,
      `<property name="db.host">${W}</property>`,
    ],
    [
      'XML name and value elements',
      `<param-name>db.password</param-name>\n<param-value>${W}</param-value>`,
      `<param-name>db.host</param-name>\n<param-value>${W}</param-value>`,
    ],
    [
      'a property list',
      `<key>ApiKey</key>\n<string>${S}</string>`,
      `<key>Region</key>\n<string>${S}</string>`,
    ],
    ['a field of HTML', `<input type="password" value="${W}">`, `<input type="search" value="${W}">`],
    ['markup in markup', `&lt;password&gt;${W}&lt;/password&gt;`, `&lt;host&gt;${W}&lt;/host&gt;`],
    [
      'markup in JSON in text',
      `{\\"x\\":\\"<password>${S}<\\\\/password>`,
      `{\\"x\\":\\"<host>${S}<\\\\/host>`,
    ],
    ['markup that was cut', `<db><user>u</user><password>${S}`, `curl -H "X: <token>" https://h/lorem`],
    ['IDENTIFIED BY', `CREATE USER bob IDENTIFIED BY '${W}'`, `the record is identified by 'the customer'`],
    [
      'IDENTIFIED BY without quotes',
      `alter user bob identified by ${S};`,
      'they are identified by their-names-2;',
    ],
    [
      'IDENTIFIED WITH … BY',
      `create user 'b'@'%' identified with mysql_native_password by '${W}'`,
      `create user b identified with ldap server 'Zq7 lorem'`,
    ],
    [
      'PASSWORD',
      `ALTER USER bob WITH ENCRYPTED PASSWORD '${W}' VALID UNTIL 'x'`,
      'ALTER USER bob PASSWORD NULL',
    ],
    [
      'PASSWORD =',
      `CREATE LOGIN bob WITH PASSWORD = N'${W}', CHECK_POLICY = OFF`,
      "WITH DEFAULT_SCHEMA = N'lorem ipsum'",
    ],
    ['PASSWORD()', `SET PASSWORD = PASSWORD('${W}')`, `SELECT UPPER('${W}')`],
    ['SET PASSWORD FOR', `SET PASSWORD FOR 'bob'@'h' = '${W}'`, `SET ROLE FOR 'bob'@'h' = '${W}'`],
    ['password LIKE', `SELECT 1 FROM u WHERE password LIKE '${W}'`, `SELECT 1 FROM u WHERE name LIKE '${W}'`],
    ['a doubled quote', `ALTER USER bob PASSWORD 'it''s lorem'`, `SELECT 'it''s lorem'`],
    ['SECRET', `CREATE SECRET s (TYPE S3, SECRET '${S}')`, `SyntaxError: Unexpected token '${S}'`],
    [
      'INSERT',
      `INSERT INTO users (name, password, n) VALUES ('bob, (a)', '${W}', 1), ('eve', crypt('${W}', gen_salt('bf')), 2)`,
      `INSERT INTO users (name, password_hint) VALUES ('bob', '${W}')`,
    ],
    ['a tuple', `('password', '${W}')`, `('title', '${W}')`],
    ['tuples', `[("user","bob"),("password","${W}")]`, '[("user","password"),("name","email")]'],
    ['a list', `the pair ["api_key", "${S}"], as agreed`, 'columns ["password", "email"], as agreed'],
    [
      'a call that sets',
      `os.environ.setdefault('DB_PASSWORD', '${W}')`,
      `os.environ.get('DB_PASSWORD', '${W}')`,
    ],
    ['a call that adds', `params.append("token", "${S}")`, `errors.add("token", "is too short")`],
    ['netrc', `machine h.example login bob password ${S}`, `the machine has a login and a password field`],
    ['netrc over lines', `machine h\n  login bob\n  password ${S}\n`, `machine h\n  login bob\n`],
    ['netrc, default', `default login anonymous password ${S}`, `the default login page asks for a password`],
    ['pgpass', `db.internal:5432:orders:svc:${S}`, `db.internal:5432:orders:svc`],
    ['pgpass, several', `# h:p\n*:*:*:svc:${S}\nh:5432:*:u:a\\:${S}\n`, `src/a.ts:5432:12:error:lorem`],
    [
      'pgpass in a command',
      `echo "h:7777:db:u:${S}" >> ~/.pgpass`,
      `echo "12:7777:34:56:lorem" >> ~/.pgpass`,
    ],
    ['the line below', `Password:\n${S}`, `Password:\nForgot your lorem?\n`],
    ['the line below, CRLF', `User:\r\nbob\r\nPassword:\r\n${S}\r\nok`, `Password:\r\nLorem\r\nok`],
    ['the line below, in quotes', `**API key:**\n\`${S}\``, `**API key:**\n\`lorem\``],
    ['Markdown', `**Password:** ${S}`, `**Password:** required`],
  ])('%s', (shape, secret, twin) => {
    const found = redactor.text(secret, 'acme')
    noTrace(shape, found)
    again(found)
    noTrace(shape, clean(JSON.stringify({ body: secret })))
    noTrace(shape, redactRecord(Buffer.from(secret), 'acme', redactor).record)
    again(twin)
  })

  it.each([
    'if password:\n    return lorem4x',
    'def f(password):\n    """Longer-than-16-letters."""',
    'C<passwd> Also xx88 works.</new>',
    'if not token:\n    raise\n',
    'case "token":\ncase "x1y2":',
    'password:\nuser: bob4',
    'API_KEY=\nHOST=h4x',
    '/// <param name="token">The token to wait for, 2 at most.</param>',
    '<string name="prompt_password">Enter your password</string>',
    'Authorization: Bearer <token> and then 4 more',
    "the user's password's length, and 'password' 'email4'",
    'z.string("password", "Passwords have 8 letters")',
    'at 2026-11-21T10:5432:00, a:1:b:c:d',
    'grep -n: file.ts:1024:import:x',
  ])('leaves %s', (text) => again(text))

  it('gives the token of the bare secret, whatever stands around it', () => {
    const bare = redactor.token('a&b <c>', 'acme')
    expect(redactor.text('<password>a&amp;b &lt;c&gt;</password>', 'acme')).toBe(
      `<password>${bare}</password>`,
    )
    expect(redactor.text("PASSWORD 'a&b <c>'", 'acme')).toBe(`PASSWORD '${bare}'`)
    const [, form] = redactor.text('password=two+words&x=1', 'acme').split(/[=&]/)
    expect(redactor.tokensFor('two words', 'acme')).toContain(form)
  })
})
