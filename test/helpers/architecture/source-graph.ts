import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseAst } from 'vite'

/** What one source file does that the rules of the house speak about. Paths are relative to the repository. */
export interface SourceFile {
  readonly path: string
  /** Files of ours that it imports, resolved; type imports count. */
  readonly imports: readonly string[]
  /** Everything else that it imports: `node:fs`, `kafkajs`, `@clickhouse/client`. */
  readonly packages: readonly string[]
  readonly usesConsole: boolean
  readonly usesProcessEnv: boolean
}

interface Node {
  readonly type: string
  readonly [key: string]: unknown
}

/** Reads every TypeScript file below the folders given. */
export function readSources(repository: string, folders: readonly string[]): SourceFile[] {
  return folders
    .filter((folder) => existsSync(join(repository, folder)))
    .flatMap((folder) =>
      readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(ts|tsx|mts)$/.test(entry.name))
        .map((entry) => relative(repository, join(entry.parentPath, entry.name)))
        .filter((path) => !/(^|\/)(node_modules|dist)\//.test(path)),
    )
    .sort()
    .map((path) => {
      const parsed = parseSource(readFileSync(join(repository, path), 'utf8'), path)
      // tsc sees to it that every import leads somewhere.
      const resolved = (specifier: string) =>
        relative(repository, resolve(repository, dirname(path), specifier.replace(/\?.*$/, '')))
      return { ...parsed, imports: parsed.imports.map(resolved) }
    })
}

/** The same for the text of one file; imports are as written. */
export function parseSource(source: string, path: string): SourceFile {
  const specifiers = new Set<string>()
  let usesConsole = false
  let usesProcessEnv = false
  visit(parseAst(source, { lang: path.endsWith('x') ? 'tsx' : 'ts' }, path), (node) => {
    const from = (node['source'] as Node | null | undefined)?.['value']
    if (typeof from === 'string') specifiers.add(from)
    if (node.type !== 'MemberExpression') return
    const object = (node['object'] as Node)['name']
    const property = node['property'] as Node
    const name = property['name'] ?? property['value']
    usesConsole ||= object === 'console'
    usesProcessEnv ||= object === 'process' && name === 'env'
  })
  const ours = (specifier: string) => specifier.startsWith('.')
  return {
    path,
    imports: [...specifiers].filter(ours),
    packages: [...specifiers].filter((specifier) => !ours(specifier)),
    usesConsole,
    usesProcessEnv,
  }
}

function visit(node: unknown, see: (node: Node) => void): void {
  if (Array.isArray(node)) {
    for (const child of node) visit(child, see)
  } else if (typeof node === 'object' && node !== null) {
    if (typeof (node as Node).type === 'string') see(node as Node)
    for (const child of Object.values(node)) visit(child, see)
  }
}
