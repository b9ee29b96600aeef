/**
 * Who may import whom. CONTRIBUTING.md has the picture; `test/medium/boundaries.spec.ts` proves that each rule fires.
 *
 *   apps -> schedules -> runner, artifacts, identity, sandbox, client -> database, queue, ledger, config -> kernel
 */
const tests = '\\.spec\\.ts$';
const infrastructure = '(?:config|database|queue|ledger)';
/** Where a process or a lib begins. The guard is a process of its own, started by the supervisor. */
const entries = '^(?:apps/[^/]+/src/main|libs/[^/]+/src/index|apps/cli/src/supervisor/postgres-guard)\\.ts$';
const domains = '(?:runner|schedules|artifacts|identity|sandbox|client)';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'kernel-depends-on-nothing',
      comment: 'The kernel is pure: Node and small libraries, no Nest, no Prisma, no other lib.',
      severity: 'error',
      from: { path: '^libs/kernel/', pathNot: tests },
      to: { path: ['^(?:apps|libs)/(?!kernel/)', 'node_modules/(?:@nestjs|@prisma|prisma|pg|bullmq)/'] },
    },
    {
      name: 'infrastructure-below-domains',
      comment: 'config, database, queue and ledger are used by the domains, never the other way round.',
      severity: 'error',
      from: { path: `^libs/${infrastructure}/`, pathNot: tests },
      to: { path: [`^libs/${domains}/`, '^apps/'] },
    },
    {
      name: 'config-depends-on-kernel-only',
      comment: 'Everybody asks config; so config asks nobody but the kernel.',
      severity: 'error',
      from: { path: '^libs/config/', pathNot: tests },
      to: { path: '^(?:apps|libs)/(?!config/|kernel/)' },
    },
    {
      name: 'client-depends-on-kernel-only',
      comment: 'The HTTP client runs on machines that have no database: it may not pull the server in.',
      severity: 'error',
      from: { path: '^libs/client/', pathNot: tests },
      to: { path: '^(?:apps|libs)/(?!client/|kernel/)' },
    },
    {
      name: 'libs-never-import-apps',
      severity: 'error',
      from: { path: '^libs/', pathNot: tests },
      to: { path: '^apps/' },
    },
    {
      name: 'apps-never-import-each-other',
      comment: 'What two processes share belongs to a lib.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'only-through-the-barrel',
      comment: "A lib's public face is its index.ts, reached by its #name.",
      severity: 'error',
      from: { path: '^(?:apps|libs)/([^/]+)/' },
      to: { path: '^libs/', pathNot: ['^libs/$1/', '^libs/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'libs-by-their-name',
      comment: "Another lib is imported as '#name', not by a path that climbs out of the own one.",
      severity: 'error',
      from: { path: '^(?:apps|libs)/([^/]+)/' },
      to: { path: '^libs/', pathNot: '^libs/$1/', dependencyTypesNot: ['aliased'] },
    },
    {
      name: 'edges-never-touch-the-database',
      comment: 'Controllers and processors parse, call a use case and return.',
      severity: 'error',
      from: { path: '\\.(?:controller|processor)\\.ts$' },
      to: { path: ['^libs/database/', 'node_modules/(?:@prisma|prisma|pg)/'] },
    },
    {
      name: 'swagger-belongs-to-the-api',
      comment:
        "Runner's definition classes alone are decorated outside apps/api, so that one class validates and documents.",
      severity: 'error',
      from: { path: '^(?:apps|libs)/', pathNot: ['^apps/api/', '^libs/runner/src/definition/'] },
      to: { path: 'node_modules/@nestjs/swagger/' },
    },
    {
      name: 'testing-is-for-tests',
      severity: 'error',
      from: { path: '^(?:apps|libs)/', pathNot: [tests, '^libs/testing/'] },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'no-development-dependencies',
      comment: 'What runs in production is listed under "dependencies".',
      severity: 'error',
      from: { path: '^(?:apps|libs)/', pathNot: [tests, '^libs/testing/'] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-circles',
      comment: 'Types may look at each other; code that runs may not.',
      severity: 'error',
      from: { path: '^(?:apps|libs)/', pathNot: '/generated/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-dead-files',
      comment: 'What no process and no barrel leads to is dead.',
      severity: 'error',
      from: { path: entries },
      to: {
        path: '^(?:apps|libs)/',
        pathNot: [tests, '/generated/', '\\.d\\.ts$', entries],
        reachable: false,
      },
    },
    {
      name: 'unresolvable',
      comment: 'An import that leads nowhere is checked by none of the rules above.',
      severity: 'error',
      from: { path: '^(?:apps|libs)/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/generated/'] },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    // #names resolve by the compiler's `paths`, which lead to the source; package.json's `imports` lead to dist/.
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      extensions: ['.ts', '.d.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
