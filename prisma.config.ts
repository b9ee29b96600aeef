import { defineConfig } from 'prisma/config';

/** For people who use Prisma's own CLI; `npm run db:*` needs no download and reads no configuration of Prisma's. */
const url = process.env.DATABASE_OWNER_URL ?? process.env.DATABASE_URL;

export default defineConfig({
  schema: 'prisma/schema',
  migrations: { path: 'prisma/migrations' },
  ...(url === undefined ? {} : { datasource: { url } }),
});
