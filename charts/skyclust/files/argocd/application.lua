-- How well an Application is, for the Application that brings it. Argo CD does not ask this by itself since 1.8, so that the waves of an app of apps would
-- wait for nothing. As in its documentation, an Application is as well as it says; but it says Healthy while only some of what it brings is there, so
-- that counts once nothing is left to be applied. What is only left to be pruned may stay so for good.
local status = obj.status or {}
local health = status.health or {}
local sync = (status.sync or {}).status

local complete = sync == "Synced" or sync == "OutOfSync"
for _, resource in ipairs(status.resources or {}) do
  if resource.status == "OutOfSync" and not resource.requiresPruning then
    complete = false
  end
end

local hs = {status = health.status or "Progressing", message = health.message or ""}
if hs.status == "Healthy" and not complete then
  hs.status = "Progressing"
  hs.message = "Not all of it has been applied yet."
end
return hs
