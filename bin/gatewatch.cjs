#!/usr/bin/env node
// Starts the program: the TypeScript of a clone as it is, or the JavaScript of a package. CommonJS, because it has to
// run on whatever Node the shell finds, and before anything uses Node's thread pool.
const { spawn } = require('node:child_process')
const { existsSync } = require('node:fs')
const { dirname, join } = require('node:path')
const { pathToFileURL } = require('node:url')

const OLDEST = [22, 18]

// Queries of the embedded store occupy threads of this pool; with the default of four they hold up files and DNS.
// It is read when the first thread starts, which is after this line.
process.env.UV_THREADPOOL_SIZE ||= '16'

const [major, minor] = process.versions.node.split('.').map(Number)
const isNewEnough = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
// The embedded store reads whatever lies in the process's own stdin (app/cli/standard-input.ts), so records that come
// from there need another way in, which only a child can be given.
const readsStdin = process.argv.includes('-') && process.env.GATEWATCH_STDIN_FD === undefined
if (isNewEnough && !readsStdin) runHere()
else runInChild(isNewEnough ? process.execPath : ownNode())

function runHere() {
  const source = join(__dirname, '../app/cli/gatewatch.ts')
  const compiled = join(__dirname, '../dist/app/cli/gatewatch.js')
  import(pathToFileURL(existsSync(source) ? source : compiled).href).catch((error) => {
    process.stderr.write(`${error?.stack ?? error}\n`)
    process.exitCode = 1
  })
}

function runInChild(node) {
  if (node === undefined) {
    process.stderr.write(
      `gatewatch needs Node ${OLDEST.join('.')} or newer; this is ${process.versions.node}.\n` +
        'Install a newer Node from https://nodejs.org and run the command again.\n',
    )
    process.exitCode = 2
    return
  }
  const stdio = [readsStdin ? 'ignore' : 'inherit', 'inherit', 'inherit', ...(readsStdin ? [0] : [])]
  const env = {
    ...process.env,
    // Without this process the child ends too, however this one ended (app/cli/parent-watch.ts).
    GATEWATCH_PARENT: String(process.pid),
    ...(readsStdin ? { GATEWATCH_STDIN_FD: '3' } : {}),
  }
  const child = spawn(node, [__filename, ...process.argv.slice(2)], { stdio, env })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  // A terminal sends SIGINT to both; the child takes what comes twice for one request (app/stop-request.ts).
  for (const signal of signals) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`gatewatch cannot start ${node}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    for (const name of signals) process.removeAllListeners(name)
    if (signal) process.kill(process.pid, signal)
    else process.exitCode = code
  })
}

// The packages that bring Node are optional: they exist for Linux on x64 and arm64.
function ownNode() {
  try {
    const found = require.resolve(`node-${process.platform}-${process.arch}/package.json`)
    return join(dirname(found), 'bin', 'node')
  } catch {
    return undefined
  }
}
