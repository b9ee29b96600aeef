import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { approvalSchemas } from './schemas/approvals.js';
import { artifactSchemas } from './schemas/artifacts.js';
import { definitionSchemas } from './schemas/definition.js';
import { generalSchemas } from './schemas/general.js';
import { jobSchemas } from './schemas/jobs.js';
import { ledgerSchemas } from './schemas/ledger.js';
import { pageSchemas } from './schemas/pages.js';
import { scheduleSchemas } from './schemas/schedules.js';
import { TAGS } from './tags.js';

const DESCRIPTION = `
Runledger runs jobs made of steps and writes every transition to an **immutable, hash-chained ledger**, so that afterwards
anybody can prove what ran.

### Five minutes to a first job
1. Press **Authorize** and paste your API key. The first start of the server printed it (\`rl_live_...\`).
2. Try **GET /v1/me** and copy \`workspaceId\`: every other path begins with it.
3. Try **POST .../runner-jobs** with the example body. The answer carries the job's \`id\`.
4. Try **GET .../runner-jobs/{jobId}** to see it run, **.../events** for its ledger and **.../verify** for the proof.

### Conventions
- Errors are RFC 9457 \`application/problem+json\` with a stable \`code\`; broken rules are listed in \`errors\`.
- What is not yours answers 404, with the same bytes as what does not exist.
- Lists take \`limit\` and \`cursor\` and answer \`{ items, nextCursor }\`.
- Times are RFC 3339 in UTC, ids are UUID v7, and every answer has an \`X-Request-Id\`.
`.trim();

/** The OpenAPI 3.1 document of the routes that the application really has. */
export function buildDocument(app: NestFastifyApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Runledger')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer('/', 'This server')
    .addBearerAuth(
      { type: 'http', scheme: 'bearer', bearerFormat: 'rl_live_...', description: 'An API key of a workspace.' },
      'apiKey',
    );
  for (const tag of Object.values(TAGS)) builder.addTag(tag.name, tag.description);
  const document = SwaggerModule.createDocument(app, builder.build(), { autoTagControllers: false });
  const schemas = {
    ...jobSchemas,
    ...definitionSchemas,
    ...ledgerSchemas,
    ...artifactSchemas,
    ...approvalSchemas,
    ...scheduleSchemas,
    ...generalSchemas,
    ...pageSchemas,
  };
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, ...(schemas as Record<string, object>) },
  };
  return document;
}
