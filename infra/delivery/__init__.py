"""The two repositories that are made from this one, ModelBuild and ModelDeploy, and what their pipelines run."""
