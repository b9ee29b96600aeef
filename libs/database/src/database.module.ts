import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { AppError } from '#kernel';
import { Database, type DatabaseRole } from './database.js';

export interface DatabaseModuleOptions {
  role: DatabaseRole;
  /** As the configuration has it. */
  database: { url: string | undefined; poolSize: number };
  applicationName?: string;
}

/** Closes the connections when Nest has stopped everything that uses them. */
class DatabaseShutdown implements OnApplicationShutdown {
  constructor(private readonly database: Database) {}

  onApplicationShutdown(): Promise<void> {
    return this.database.close();
  }
}

/** Provides `Database` to the whole application. */
@Module({})
export class DatabaseModule {
  /** @throws AppError CONFIG_INVALID without a URL: only `runledger start` brings a database with it */
  static forRoot({ role, database, applicationName }: DatabaseModuleOptions): DynamicModule {
    const { url, poolSize } = database;
    if (url === undefined) {
      throw new AppError(
        'CONFIG_INVALID',
        'DATABASE_URL is not set: this process needs a PostgreSQL database (`runledger start` brings its own)',
      );
    }
    const options = { url, role, poolSize, ...(applicationName === undefined ? {} : { applicationName }) };
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        { provide: Database, useFactory: () => new Database(options) },
        {
          provide: DatabaseShutdown,
          useFactory: (opened: Database) => new DatabaseShutdown(opened),
          inject: [Database],
        },
      ],
      exports: [Database],
    };
  }
}
