export { CronTimes } from './cron-times.js';
export { parseSchedule } from './parse-schedule.js';
export { CATCH_UPS, OUTCOMES, OVERLAPS } from './schedule.js';
export type { CatchUp, Outcome, Overlap, ScheduleSpec, ScheduleView } from './schedule.js';
export { Scheduler } from './scheduler.js';
export { SCHEDULES_CHANNEL, Schedules } from './schedules.js';
