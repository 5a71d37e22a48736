/**
 * Kinds of secrets that are known by their look. The kinds and prefixes follow the issuers' documentation and the
 * families of gitleaks (MIT, https://github.com/gitleaks/gitleaks, commit 009e025); the expressions are our own.
 *
 * JavaScript's own expressions, not RE2: a pattern runs only where its keyword was seen, and each is written without
 * nested or adjoining open repetitions and with few places to start from (`(?<!…)` before a run of characters that the
 * run itself matches), so matching stays linear; `test/unit/ingest/redact-attacks.test.ts` holds each to that. RE2 in
 * JavaScript is an order of magnitude slower. Each has two groups: what is kept, and what is replaced.
 */
export interface SecretPattern {
  readonly id: string
  /** One of these must occur (in any case) before the expression is tried. */
  readonly keywords: readonly string[]
  readonly expression: RegExp
  /** Says no to what has the look by chance. */
  readonly accepts?: (secret: string) => boolean
}

// Whatever the case: a source or a format may have put a name or an id in lower case before it came here.
const pattern = (
  id: string,
  keywords: readonly string[],
  expression: RegExp,
  accepts?: (secret: string) => boolean,
): SecretPattern => ({
  id,
  keywords,
  expression: new RegExp(expression.source, 'gi'),
  ...(accepts ? { accepts } : {}),
})

// In capitals as it was issued, or in lower case with a digit at least: words have the second look too.
const inCapitals = (secret: string): boolean => secret === secret.toUpperCase() || /\d/.test(secret)
const mixed = (secret: string): boolean => /\d/.test(secret) && /[a-z]/i.test(secret)

export const SECRET_PATTERNS: readonly SecretPattern[] = [
  // Long and structured first: what they cover is not looked at again by the general ones below.
  pattern(
    'private-key',
    ['-----begin'],
    // Without its end (a text that was cut) the key reaches to the end of the text.
    /()(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$))/g,
  ),
  pattern('jwt', ['eyj'], /()((?<![\w-])eyJ[\w-]{8,8192}\.eyJ[\w-]{4,16384}\.[\w-]{0,4096})/g),
  pattern(
    'jwe',
    ['eyj'],
    /()((?<![\w-])eyJ[\w-]{8,8192}\.[\w-]{0,4096}\.[\w-]{8,4096}\.[\w-]{8,16384}\.[\w-]{8,4096})/g,
  ),
  // Our own: API keys, short-lived tokens, the cookie of a session. Tickets are known by the address that they stand in.
  pattern('gatewatch-key', ['gw_'], /()(\bgw_[\w-]{43}(?![\w-]))/g),
  pattern('gatewatch-token', ['.eyjz'], /()(\bv1\.[\w-]{1,32}\.eyJz[\w-]{40,4096}\.[\w-]{43}(?![\w-]))/g),
  pattern('gatewatch-session', ['gatewatch-session'], /(gatewatch-session(?:-\w{1,32})?=)([\w-]{43})/g),
  pattern(
    'aws-access-key-id',
    ['akia', 'asia', 'abia', 'acca', 'a3t'],
    /()(\b(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}\b)/g,
    inCapitals,
  ),
  pattern(
    'aws-secret-key',
    ['aws', 'secretaccesskey'],
    /((?:aws_?)?secret_?(?:access_?)?key['"\\]{0,4}\s{0,4}(?:=>|[:=])\s{0,4}['"\\]{0,4})([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])/gi,
  ),
  pattern('aws-bedrock-key', ['absk'], /()(\bABSK[A-Za-z0-9+/]{60,}={0,2})/g),
  pattern('github-token', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], /()(\bgh[pousr]_[A-Za-z0-9]{30,255}\b)/g),
  pattern('github-fine-grained-token', ['github_pat_'], /()(\bgithub_pat_\w{36,255}\b)/g),
  pattern(
    'gitlab-token',
    [
      'glpat-',
      'glptt-',
      'gldt-',
      'glrt-',
      'glcbt-',
      'glsoat-',
      'glagent-',
      'gloas-',
      'glft-',
      'glimt-',
      'glffct-',
    ],
    /()(\bgl(?:pat|ptt|dt|rt|cbt|soat|agent|oas|ft|imt|ffct)-[\w.-]{20,200})/g,
  ),
  pattern(
    'slack-token',
    ['xoxa-', 'xoxb-', 'xoxe', 'xoxo-', 'xoxp-', 'xoxr-', 'xoxs-', 'xoxc-', 'xoxd-'],
    /()(\bxox[a-eo-s](?:\.xox[bp])?-[\w%-]{10,250})/g,
  ),
  pattern('slack-app-token', ['xapp-'], /()(\bxapp-\d-[A-Za-z0-9-]{10,200})/g),
  pattern(
    'slack-webhook',
    ['hooks.slack.com'],
    /(hooks\.slack\.com\/(?:services|workflows|triggers)\/)([\w/+-]{20,200})/g,
  ),
  pattern(
    'discord-webhook',
    ['discord'],
    /(discord(?:app)?\.com\/api\/webhooks\/\d{10,25}\/)([\w-]{40,100})/g,
  ),
  pattern('teams-webhook', ['webhook.office.com'], /(webhook\.office\.com\/webhookb2\/)([\w@/-]{40,250})/g),
  pattern(
    'stripe-key',
    ['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'sk_prod_', 'whsec_'],
    /()(\b(?:[sr]k_(?:live|test|prod)|whsec)_[A-Za-z0-9+/=]{16,250})/g,
  ),
  pattern('google-api-key', ['aiza'], /()(\bAIza[\w-]{35})/g),
  pattern('google-oauth-token', ['ya29.'], /()(\bya29\.[\w.-]{20,1000})/g),
  pattern('google-client-secret', ['gocspx-'], /()(\bGOCSPX-[\w-]{28})/g),
  pattern('anthropic-key', ['sk-ant-'], /()(\bsk-ant-[\w-]{20,250})/g),
  pattern('sk-key', ['sk-'], /()(\bsk-(?!ant-)(?:[a-z]{2,12}-)?[\w-]{20,250})/g),
  pattern('huggingface-token', ['hf_', 'api_org_'], /()(\b(?:hf|api_org)_[A-Za-z0-9]{30,50}\b)/g),
  pattern('groq-key', ['gsk_'], /()(\bgsk_[A-Za-z0-9]{40,80}\b)/g),
  pattern('perplexity-key', ['pplx-'], /()(\bpplx-[A-Za-z0-9]{40,80}\b)/g),
  pattern('replicate-token', ['r8_'], /()(\br8_[A-Za-z0-9]{36,50}\b)/g),
  pattern('npm-token', ['npm_'], /()(\bnpm_[A-Za-z0-9]{36}\b)/g),
  pattern('pypi-token', ['pypi-'], /()(\bpypi-[\w-]{50,1000})/g),
  pattern('rubygems-token', ['rubygems_'], /()(\brubygems_[a-f0-9]{48}\b)/g),
  pattern('docker-token', ['dckr_'], /()(\bdckr_(?:pat|oat)_[\w-]{20,100})/g),
  pattern('digitalocean-token', ['dop_v1_', 'doo_v1_', 'dor_v1_'], /()(\bdo[opr]_v1_[a-f0-9]{64}\b)/g),
  pattern(
    'shopify-token',
    ['shpat_', 'shpca_', 'shppa_', 'shpss_'],
    /()(\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b)/g,
  ),
  pattern('sendgrid-key', ['sg.'], /()(\bSG\.[\w-]{16,32}\.[\w-]{16,64})/g),
  pattern(
    'twilio-key',
    [...'0123456789abcdef'].map((digit) => `sk${digit}`),
    /()(\bSK[0-9a-f]{32}\b)/g,
  ),
  pattern('mailgun-key', ['key-'], /()(\bkey-[0-9a-f]{32}\b)/g),
  pattern(
    'mailchimp-key',
    [...'0123456789'].map((digit) => `-us${digit}`),
    /()(\b[0-9a-f]{32}-us\d{1,2}\b)/g,
  ),
  pattern('telegram-bot-token', [':aa'], /()((?<!\d)\d{8,10}:AA[\w-]{32,34})/g),
  pattern('databricks-token', ['dapi'], /()(\bdapi[a-f0-9]{32}(?:-\d)?\b)/g),
  pattern('linear-key', ['lin_api_', 'lin_oauth_'], /()(\blin_(?:api|oauth)_[A-Za-z0-9]{32,80}\b)/g),
  pattern('notion-token', ['ntn_', 'secret_'], /()(\b(?:ntn_|secret_)[A-Za-z0-9]{40,60}\b)/g),
  pattern('atlassian-token', ['atatt3', 'atctt3'], /()(\bAT[AC]TT3[\w=-]{50,250})/g),
  pattern('vault-token', ['hvs.', 'hvb.', 'hvr.'], /()(\bhv[sbr]\.[\w-]{20,300})/g),
  pattern('terraform-token', ['.atlasv1.'], /()(\b[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70})/g),
  pattern('pulumi-token', ['pul-'], /()(\bpul-[a-f0-9]{40}\b)/g),
  pattern('grafana-token', ['glsa_', 'glc_'], /()(\bgl(?:sa|c)_[\w+/=-]{32,400})/g),
  pattern('postman-key', ['pmak-'], /()(\bPMAK-[a-fA-F0-9]{24}-[a-fA-F0-9]{34}\b)/g),
  pattern(
    'newrelic-key',
    ['nrak-', 'nrjs-', 'nrii-', 'nral'],
    /()(\bNR(?:AK|JS|II|AL)-?[A-Za-z0-9-]{19,40}\b)/g,
  ),
  pattern('square-token', ['sq0', 'eaaa'], /()(\b(?:sq0(?:atp|csp)-[\w-]{22,43}|EAAA[\w-]{60}))/g),
  pattern('doppler-token', ['dp.'], /()(\bdp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,80})/g),
  pattern('planetscale-token', ['pscale_'], /()(\bpscale_(?:tkn|pw|oauth)_[\w.=-]{32,64})/g),
  pattern('sentry-token', ['sntrys_', 'sntryu_'], /()(\bsntry[su]_[\w+/=-]{40,400})/g),
  pattern('fly-token', ['fo1_', 'fm1', 'fm2_'], /()(\b(?:fo1_|fm1[ar]_|fm2_)[\w+/=,-]{40,600})/g),
  pattern('age-key', ['age-secret-key-1'], /()(AGE-SECRET-KEY-1[A-Z0-9]{58})/gi),
  pattern('cloudflare-key', ['v1.0-'], /()(\bv1\.0-[a-f0-9]{24}-[a-f0-9]{146}\b)/g),
  pattern('heroku-key', ['hrku-'], /()(\bHRKU-[\w-]{30,80})/g),
  pattern('supabase-token', ['sbp_', 'sb_secret_'], /()(\b(?:sbp|sb_secret)_[A-Za-z0-9_]{20,80})/g),
  pattern(
    'artifactory-token',
    ['akcp', 'cmvmdgtu'],
    /()(\b(?:AKCp[A-Za-z0-9]{60,80}|cmVmdGtu[A-Za-z0-9]{50,80}))/g,
  ),
  pattern(
    'azure-client-secret',
    [...'0123456789'].map((digit) => `${digit}q~`),
    /()([\w~.-]{3}\dQ~[\w~.-]{31,34})/g,
  ),
  pattern(
    'azure-storage-key',
    ['accountkey', 'sharedaccesskey'],
    /((?:Account|SharedAccess)Key\s{0,2}=\s{0,2})([A-Za-z0-9+/]{40,88}={0,2})/gi,
  ),
  pattern('gitlab-runner-registration', ['gr1348941'], /()(\bGR1348941[\w-]{20,40})/g),
  pattern(
    'onepassword-key',
    ['a3-'],
    /()(\bA3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}\b)/g,
  ),
  pattern('onepassword-service-token', ['ops_ey'], /()(\bops_eyJ[A-Za-z0-9+/]{100,4000}={0,3})/g),
  pattern('adobe-secret', ['p8e-'], /()(\bp8e-[A-Za-z0-9]{32}\b)/gi),
  pattern('alibaba-key-id', ['ltai'], /()(\bLTAI[A-Za-z0-9]{12,24}\b)/g),
  pattern(
    'authress-key',
    ['.acc'],
    /()(\b(?:sc|ext|scauth|authress)_[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-][a-z0-9-]{10,32}\.[\w+/=-]{30,120})/gi,
  ),
  pattern('clickhouse-cloud-key', ['4b1d'], /()(\b4b1d[A-Za-z0-9]{38}\b)/g),
  pattern('clojars-token', ['clojars_'], /()(\bCLOJARS_[a-z0-9]{60}\b)/gi),
  pattern('defined-networking-key', ['dnkey-'], /()(\bdnkey-[\w=-]{20,32}-[\w=-]{40,60})/gi),
  pattern('dropbox-token', ['sl.'], /()(\bsl\.(?:u\.)?[\w=-]{100,2000})/g),
  pattern('duffel-token', ['duffel_'], /()(\bduffel_(?:test|live)_[\w=-]{43})/gi),
  pattern('dynatrace-token', ['dt0'], /()(\bdt0[a-z]\d\d\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}\b)/gi),
  pattern('easypost-key', ['ezak', 'eztk'], /()(\bEZ[AT]K[A-Za-z0-9]{54}\b)/g),
  pattern('facebook-token', ['eaam', 'eaac', 'eaab'], /()(\bEAA[MCB][A-Za-z0-9]{80,500}\b)/g),
  pattern(
    'facebook-app-token',
    ['facebook', 'graph', 'fb_', 'fb.', 'fb-'],
    /()((?<!\d)\d{15,16}(?:\||%7C)[\w-]{27,40})/gi,
  ),
  pattern(
    'flutterwave-key',
    ['flwseck', 'flwpubk'],
    /()(\bFLW(?:SECK|PUBK)(?:_TEST)?-[a-z0-9]{12,40}(?:-X)?)/gi,
  ),
  pattern('frameio-token', ['fio-u-'], /()(\bfio-u-[\w=-]{64})/gi),
  pattern('gitlab-session', ['_gitlab_session'], /(_gitlab_session=)([0-9a-z]{32})/g),
  pattern('grafana-api-key', ['eyjrijoi'], /()(\beyJrIjoi[A-Za-z0-9]{60,400}={0,3})/g),
  pattern('harness-key', ['pat.', 'sat.'], /()(\b[ps]at\.[\w-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}\b)/g),
  pattern('infracost-key', ['ico-'], /()(\bico-[A-Za-z0-9]{32}\b)/g),
  pattern('intra42-secret', ['s-s4t2'], /()(\bs-s4t2(?:ud|af)-[a-f0-9]{64}\b)/gi),
  pattern('jwt-base64', ['zxlk'], /()(\bZXlK[A-Za-z0-9+/_-]{40,16384}={0,2})/g),
  pattern('lob-key', ['live_', 'test_'], /()((?<![A-Za-z0-9_])(?:live|test)_(?:pub_)?[a-f0-9]{31,35}\b)/g),
  pattern(
    'gocardless-token',
    ['live_', 'sandbox_'],
    /()((?<![A-Za-z0-9_])(?:live|sandbox)_[\w=-]{40}(?![\w=-]))/g,
    mixed,
  ),
  pattern(
    'mailgun-other-key',
    ['pubkey-', 'mailgun'],
    /()(\b(?:pubkey-[a-f0-9]{32}|[a-h0-9]{32}-[a-h0-9]{8}-[a-h0-9]{8})\b)/g,
  ),
  pattern('mapbox-token', ['pk.ey', 'sk.ey', 'tk.ey'], /()(\b[pst]k\.eyJ[\w-]{20,200}\.[\w-]{16,80})/g),
  pattern('maxmind-key', ['_mmk'], /()(\b[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk\b)/g),
  pattern('octopus-key', ['api-'], /()(\bAPI-[A-Z0-9]{26}\b)/g, inCapitals),
  pattern('okta-token', ['okta', 'ssws'], /()((?<![\w=-])00[\w=-]{40}(?![\w=-]))/g, mixed),
  pattern('openshift-token', ['sha256~'], /()(\bsha256~[\w-]{43})/g),
  pattern(
    'plaid-token',
    ['access-'],
    /()(\baccess-(?:sandbox|development|production)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/g,
  ),
  pattern('prefect-token', ['pnu_', 'pnb_'], /()(\bpn[ub]_[A-Za-z0-9]{36}\b)/g),
  pattern('readme-token', ['rdme_'], /()(\brdme_[a-z0-9]{70}\b)/g),
  pattern('scalingo-token', ['tk-us-'], /()(\btk-us-[\w-]{48})/g),
  pattern(
    'sendinblue-key',
    ['xkeysib-', 'xsmtpsib-'],
    /()(\bx(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}\b)/g,
  ),
  pattern('settlemint-token', ['sm_aat_', 'sm_pat_', 'sm_sat_'], /()(\bsm_[aps]at_[A-Za-z0-9]{16}\b)/g),
  pattern('shippo-token', ['shippo_'], /()(\bshippo_(?:live|test)_[a-f0-9]{40}\b)/gi),
  pattern(
    'sidekiq-secret',
    ['contribsys'],
    /(contribsys__com['"\\]{0,4}\s{0,4}[:=]\s{0,4}['"\\]{0,4})([a-f0-9]{8}:[a-f0-9]{8})/gi,
  ),
  pattern('sourcegraph-token', ['sgp_'], /()(\bsgp_(?:(?:[a-f0-9]{16}|local)_)?[a-f0-9]{40}\b)/gi),
  pattern('typeform-token', ['tfp_'], /()(\btfp_[\w.=-]{40,80})/g),
  pattern('vault-old-token', ['vault'], /()((?<![\w.])s\.[A-Za-z0-9]{24}(?![\w]))/g, mixed),
  pattern(
    'yandex-key',
    ['aqvn', 't1.', 'ycaj'],
    /()(\b(?:AQVN[\w-]{35,38}|YCAJ[\w-]{30,40}|t1\.[\w-]{1,400}={0,2}\.[\w-]{86}={0,2}))/g,
  ),
  // Beyond gitleaks: services that agents are given keys for.
  pattern('google-refresh-token', ['1//0'], /()((?<![\w/])1\/\/0[\w-]{30,200})/g),
  pattern('xai-key', ['xai-'], /()(\bxai-[A-Za-z0-9]{60,100}\b)/g),
  pattern('pinecone-key', ['pcsk_'], /()(\bpcsk_\w{40,100})/g),
  pattern('langsmith-key', ['lsv2_'], /()(\blsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}\b)/g),
  pattern('brave-key', ['bsa'], /()(\bBSA[A-Za-z0-9_-]{20,40}(?![\w-]))/g, mixed),
  pattern('tavily-key', ['tvly-'], /()(\btvly-(?:[a-z]{2,5}-)?[A-Za-z0-9]{20,60}\b)/g),
  pattern('firecrawl-key', ['fc-'], /()(\bfc-[a-f0-9]{32}\b)/g),
  pattern('figma-token', ['figd_', 'figo_'], /()(\bfig[do]_[\w-]{38,80})/g),
  pattern('airtable-token', ['pat'], /()(\bpat[A-Za-z0-9]{14}\.[a-f0-9]{64}\b)/g),
  pattern('tailscale-key', ['tskey-'], /()(\btskey-[a-z]{3,12}-[\w-]{16,80})/g),
  pattern('netlify-token', ['nfp_'], /()(\bnfp_[A-Za-z0-9]{36,40}\b)/g),
  pattern('neon-key', ['napi_'], /()(\bnapi_[a-z0-9]{40,80}\b)/g),
  pattern('render-key', ['rnd_'], /()(\brnd_[A-Za-z0-9]{28,40}\b)/g),
  pattern(
    'paypal-token',
    ['access_token$'],
    /()(\baccess_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32})/g,
  ),
  pattern('discord-bot-token', ['discord', 'bot'], /()(\b[MNO][\w-]{23,27}\.G[\w-]{5}\.[\w-]{27,38})/g),
  pattern(
    'putty-key',
    ['putty-user-key-file'],
    // Up to the next one at the most: none is read twice.
    /()(PuTTY-User-Key-File-\d[\s\S]{0,16384}?(?:Private-MAC: [a-f0-9]{40,64}|$|(?=PuTTY-User-Key-File-\d)))/g,
  ),
  // A manifest of Kubernetes as YAML: its values are base64.
  pattern(
    'kubernetes-secret',
    ['kind: secret', 'kind: "secret', 'kind:secret'],
    /((?:\n|\\n)[ \t]{1,16}[\w.-]{1,64}:[ \t]{1,4}["']?)([A-Za-z0-9+/]{8,4096}={0,2})(?=["']?(?:\s|\\n|$))/g,
    (secret) => secret.length % 4 === 0 && /[A-Z0-9=]/.test(secret),
  ),
  // The general ones. What is known by the name before it is not here: `named-values.ts`.
  pattern(
    'url-key',
    ['key=', 'sig=', 'code=', 'auth=', 'ticket='],
    /([?&#;](?:key|sig|code|auth|ticket)=)([^\s&#;"'<>\\]{12,4096})/gi,
    mixed,
  ),
  pattern(
    'bearer',
    ['bearer', 'basic'],
    /(\b(?:bearer|basic)[ \t]{1,4}["']?)([\w.~+/-]{6,8192}={0,2})/gi,
    // “basic understanding” is no credential.
    (secret) => /\d/.test(secret) || /[a-z][A-Z]/.test(secret) || secret.length >= 24,
  ),
]
