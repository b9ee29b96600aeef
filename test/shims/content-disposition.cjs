/**
 * Stands in for the ES module that @fastify/static requires, which Jest cannot load from CommonJS before Node 24.9 (Node itself can).
 * Only downloads of static files would use it, and there are none.
 */
module.exports = { create: (name) => `attachment; filename="${name}"` };
